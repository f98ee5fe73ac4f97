// The tokens in Redis, without a server: what is done there holds for all servers of the agent.
import type { StoreAddress } from '../../shared/store_address.ts';
import { createLog } from '../../supervisor/log.ts';
import { RedisLink } from '../../supervisor/store/redis/link.ts';
import { redisTokens } from '../../supervisor/store/redis/tokens.ts';
import { TokensError, type Desk } from './desk.ts';
import { openStoreDesk } from './store_desk.ts';

/** @param agent whose tokens @throws TokensError where Redis does not answer */
export async function openRedisDesk(address: StoreAddress, agent: string): Promise<Desk> {
  const link = new RedisLink(address, agent, await createLog('silent', 'json'));
  const store = redisTokens(link, () => undefined);
  try {
    // Asked though it is away, it says why.
    if (!(await link.open())) await link.ask((redis) => redis.ping());
  } catch (error) {
    await link.close();
    throw new TokensError(error instanceof Error ? error.message : String(error), { cause: error });
  }
  return openStoreDesk(store, () => link.close());
}
