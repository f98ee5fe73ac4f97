// What a server keeps beyond a request: tokens, sessions and their order, limits; embedded, or in Redis where it is named.
import type { Config } from '../../shared/config.ts';
import type { LiveTokens } from '../access/live_tokens.ts';
import type { Logger } from '../log.ts';
import { StartError } from '../start_error.ts';
import { openEmbeddedStore, type EmbeddedStore } from './embedded.ts';
import { memoryLimits } from './limits_memory.ts';
import type { LimitStore } from './limits.ts';
import type { SessionOrder } from './order.ts';
import { memoryOrder } from './order_memory.ts';
import { redisLimits } from './redis/limits.ts';
import { RedisLink } from './redis/link.ts';
import { redisOrder } from './redis/order.ts';
import { redisSessions } from './redis/sessions.ts';
import { redisTokens } from './redis/tokens.ts';
import type { SessionStore } from './session.ts';
import { sweepSessions } from './sweep.ts';
import type { TokenStore } from './tokens.ts';

export interface Store {
  readonly backend: 'embedded' | 'redis';
  /** Whether it can be reached now. */
  readonly isUp: boolean;
  /** Whether it takes nothing new, though it can be reached. */
  readonly isFull: boolean;
  readonly tokens: TokenStore;
  readonly sessions: SessionStore;
  readonly order: SessionOrder;
  readonly limits: LimitStore;
  close(): void | Promise<void>;
}

export interface StoreOptions {
  readonly config: Config;
  /** Path of the embedded store. */
  readonly file: string;
  readonly log: Logger;
  /** Told of tokens that are revoked, and of those that are back, on whatever machine that was done. */
  readonly live: Pick<LiveTokens, 'revoke' | 'restore'>;
}

/**
 * Opens the store. Redis may be away: it is connected to when it comes.
 * @throws StartError where the embedded store cannot be opened
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { redis } = options.config;
  if (redis === null) return embeddedStore(options);
  const { config, log, live } = options;
  const link = new RedisLink(redis, config.agent, log);
  const store = {
    backend: 'redis',
    get isUp() {
      return link.isUp;
    },
    get isFull() {
      return link.isFull;
    },
    tokens: redisTokens(link, (id) => live.revoke(id), (id) => live.restore(id)),
    sessions: redisSessions(link),
    order: redisOrder(link),
    limits: redisLimits(link),
    close: () => link.close(),
  } as const;
  await link.open();
  return store;
}

function embeddedStore({ file, log }: StoreOptions): Store {
  const { tokens, sessions, close } = openFile(file, log);
  const stopSweeping = sweepSessions(sessions, log);
  return {
    backend: 'embedded',
    isUp: true,
    isFull: false,
    tokens,
    sessions,
    order: memoryOrder((sessionId) => sessions.owner(sessionId, Date.now())),
    limits: memoryLimits(),
    close() {
      stopSweeping();
      close();
    },
  };
}

function openFile(file: string, log: Logger): EmbeddedStore {
  try {
    return openEmbeddedStore(file);
  } catch (error) {
    log.debug({ err: error }, 'the embedded store could not be opened');
    throw new StartError(1, `the embedded store ${file} cannot be opened: ${error instanceof Error ? error.message : String(error)}`);
  }
}
