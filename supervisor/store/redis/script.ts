// A script that Redis runs as a whole: nothing comes between its commands, on whatever machine they were asked for.
import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';

/** Runs with KEYS and ARGV; what it returns is known to whoever wrote it. */
export type Script = (redis: Redis, keys: readonly string[], args: readonly (string | number | Buffer)[]) => Promise<unknown>;

/**
 * Redis is sent the script itself only where it does not know it yet, as after its restart: a client's own book-keeping of what it has sent would be
 * wrong then.
 * @param lua see https://redis.io/docs/latest/develop/programmability/eval-intro/
 */
export function script(lua: string): Script {
  const sha = createHash('sha1').update(lua).digest('hex');
  return async (redis, keys, args) => {
    const rest = [keys.length, ...keys, ...args] as const;
    try {
      return await redis.evalsha(sha, ...rest);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return redis.eval(lua, ...rest);
    }
  };
}

/**
 * The same, but its calls are run in the order in which they were made: the script is sent with each. Where Redis does not know it, as after its restart
 * or a failover, an earlier call that has to be repeated would be overtaken by a later one otherwise.
 */
export function orderedScript(lua: string): Script {
  return (redis, keys, args) => redis.eval(lua, keys.length, ...keys, ...args);
}
