// Scripts that change nothing when they come too late: a Redis that was frozen runs, when it goes on, what nobody waits for any more.
import type { RedisLink } from './link.ts';
import type { Script } from './script.ts';
import { RedisUnreachable } from './unreachable.ts';

/** What such a script begins with; ARGV[1] is the deadline. `now`: Redis's clock in ms since 1970. */
export const UNLESS_LATE = `
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  if now > tonumber(ARGV[1]) then return false end
`;

/**
 * Runs a script that begins with `UNLESS_LATE`, and otherwise never returns nothing.
 * @param keys without the agent's prefix @param args from ARGV[2] on
 * @throws RedisUnreachable, also where it came too late; what Redis itself answers with
 */
export async function askUnlessLate(link: RedisLink, run: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
  const names = keys.map((key) => link.key(key));
  const answer = await link.ask((redis) => run(redis, names, [link.deadline, ...args]));
  if (answer === null) throw new RedisUnreachable('the question reached Redis too late');
  return answer;
}
