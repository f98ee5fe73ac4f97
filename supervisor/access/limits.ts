// How much a caller may ask for: so many interactions in a window of time, and so many at once.
import type { ServerResponse } from 'node:http';
import type { Config } from '../../shared/config.ts';
import { AppError } from '../../shared/errors.ts';
import { after, orElse } from '../at_once.ts';
import type { LimitStore, RateState } from '../store/limits.ts';
import { storeUnavailable } from '../store/refusal.ts';
import type { Caller } from './caller.ts';
import { addressGroup } from './client_address.ts';

/** Seconds; nobody knows when one of those that go on ends. */
const RETRY_BEGIN_S = 1;

/** @param address of the client @returns whose limits count: the token's, and without one the address's */
export function limitKeyOf(caller: Caller, address: string): string {
  if (caller.token !== null) return caller.token.id;
  return caller.id === 'admin' ? 'admin' : `address:${addressGroup(address)}`;
}

/** Tells that an interaction is over which was let in; to be called once. */
export type End = () => void;

/** A reload may set the limit while those go on that were begun without one: they take no place, and so leave none. */
const NOT_COUNTED: End = () => undefined;

/** Its methods return a promise only where the store does. */
export class Limits {
  readonly #config: Pick<Config, 'chatRateLimit' | 'maxConcurrentPerToken'>;
  readonly #store: LimitStore;

  constructor(config: Pick<Config, 'chatRateLimit' | 'maxConcurrentPerToken'>, store: LimitStore) {
    this.#config = config;
    this.#store = store;
  }

  /**
   * Counts a request that is to start an interaction, and tells how its limit stands in fields of its response, whether it is taken or not. One that
   * could not begin now, as too many go on, is refused here: its body need not come for that.
   * @throws AppError RATE_LIMITED beyond RATE_LIMIT_CHAT or MAX_CONCURRENT_PER_TOKEN, STORE_UNAVAILABLE
   */
  rate(key: string, response: ServerResponse): void | Promise<void> {
    const { chatRateLimit: limit, maxConcurrentPerToken: most } = this.#config;
    const judge = (state: RateState | null, isFull: boolean): void => {
      if (limit !== null && state !== null) setFields(response, limit.count, state);
      if (state?.taken === false) throw new AppError('RATE_LIMITED', { retryAfterS: seconds(state.retryAfterMs) });
      if (most !== null && isFull) throw tooManyAtOnce(most);
    };
    // Both are asked before either is waited for: far away they take no longer than one.
    const state = limit === null ? null : orElse<RateState>(() => this.#store.take(key, limit), unavailable);
    const isFull = most === null ? false : orElse(() => this.#store.isFull(key, most), unavailable);
    if (state instanceof Promise || isFull instanceof Promise) return Promise.all([state, isFull]).then(([rated, full]) => judge(rated, full));
    judge(state, isFull);
  }

  /**
   * An interaction is to begin.
   * @returns what ends it for the limit
   * @throws AppError RATE_LIMITED beyond MAX_CONCURRENT_PER_TOKEN, STORE_UNAVAILABLE
   */
  begin(key: string): End | Promise<End> {
    const most = this.#config.maxConcurrentPerToken;
    if (most === null) return NOT_COUNTED;
    const judge = (may: boolean): End => {
      if (may) return () => this.#store.end(key);
      throw tooManyAtOnce(most);
    };
    return after(orElse(() => this.#store.begin(key, most), unavailable), judge);
  }
}

/**
 * The three fields of draft-ietf-httpapi-ratelimit-headers-06. Reset is when all of the limit is there again; where nothing is left of it, when one
 * more is taken: Retry-After should not name an earlier time than Reset does.
 */
function setFields(response: ServerResponse, count: number, { remaining, retryAfterMs, resetMs }: RateState): void {
  response.setHeader('RateLimit-Limit', String(count));
  response.setHeader('RateLimit-Remaining', String(remaining));
  response.setHeader('RateLimit-Reset', String(seconds(remaining === 0 ? retryAfterMs : resetMs)));
}

/** Of a wait: whoever comes back after so many comes late enough. */
function seconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000));
}

function tooManyAtOnce(most: number): AppError {
  const message = `No more than ${most} interactions of one caller go on at once; wait until one has ended.`;
  return new AppError('RATE_LIMITED', { message, retryAfterS: RETRY_BEGIN_S });
}

function unavailable(error: unknown): never {
  throw storeUnavailable('limits', error);
}
