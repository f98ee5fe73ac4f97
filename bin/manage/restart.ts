// `restart`: has a running server read everything anew, and tells what came of it.
import { restartedSchema } from '../../supervisor/routes/schemas.ts';
import type { FoundServer } from './find_server.ts';
import { ask, understood } from './request.ts';

/**
 * Waits for as long as the server does: for a version to load, BOOT_TIMEOUT_SECONDS is its limit.
 * @throws CommandError, also where the old version goes on
 */
export async function restart(server: FoundServer, print: (line: string) => void): Promise<void> {
  const answer = understood(server, restartedSchema, await ask(server, 'POST', '/restart', null));
  const { agent, generation, ms, remaining_requests: remaining, needs_restart: needs } = answer;
  const rest = remaining === 1 ? '1 interaction goes on with an older one' : `${remaining} interactions go on with older ones`;
  const missing = needs.length === 0 ? '' : `; only a new start takes over ${needs.join(', ')}`;
  print(`${agent}: generation ${generation} serves after ${Math.round(ms)} ms; ${rest}${missing}`);
}
