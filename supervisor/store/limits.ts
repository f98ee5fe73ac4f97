// What a store of limits counts: for one key, what came in a window of time, and what goes on now.
import type { RateLimit } from '../../shared/config_values.ts';

/** How a limit of requests per time stands for one key, the request that asked included where it was taken. */
export interface RateState {
  readonly taken: boolean;
  /** So many more would be taken now. */
  readonly remaining: number;
  /** ms until one more is taken; 0 where one is now. */
  readonly retryAfterMs: number;
  /** ms until nothing is counted any more that is counted now. */
  readonly resetMs: number;
}

/** `take` and `begin` throw, or reject, where the store cannot be reached: nobody is let in then. */
export interface LimitStore {
  /** Counts one more, unless `limit.count` have been taken within the last `limit.windowMs`: never more than that in any window, wherever it begins. */
  take(key: string, limit: RateLimit): RateState | Promise<RateState>;
  /** Whether `most` go on under this key, on all machines together: a look, which takes no place. */
  isFull(key: string, most: number): boolean | Promise<boolean>;
  /** One more begins, unless `most` go on under this key, on all machines together. @returns whether it may; `end` is called for each that may */
  begin(key: string, most: number): boolean | Promise<boolean>;
  /** One has ended. It holds at once where it is called; a store that cannot be reached learns it later. */
  end(key: string): void;
}
