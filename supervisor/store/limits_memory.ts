// The limits of the embedded store, in memory.
import type { RateLimit } from '../../shared/config_values.ts';
import type { LimitStore, RateState } from './limits.ts';

/** An entry spans one of so many parts of a window, so that 65 of them have all that is counted. A limit of no more than that is kept exactly. */
const PARTS = 64;
/** Keys that are remembered; the one that has not been seen for longest is forgotten first. */
const MAX_KEYS = 10_000;
/** Of those that count nothing any more so many are looked for with each request: more than it can bring. */
const SWEPT_AT_ONCE = 2;

/** What came about the same time. Times are in ms on the clock that is given. */
interface Entry {
  readonly first: number;
  /** It counts from here on, so that nothing in it is forgotten too early. */
  last: number;
  count: number;
}

interface Counted {
  /** Oldest first. */
  readonly entries: Entry[];
  /** When the newest counts no more. */
  until: number;
}

/**
 * Counts for this process alone. A restart forgets everything: a limit begins anew.
 * @param clock ms that never go back
 */
export function memoryLimits(clock: () => number = () => performance.now()): LimitStore {
  const byKey = new Map<string, Counted>();
  const running = new Map<string, number>();

  const forget = (now: number): void => {
    for (let i = 0; i < SWEPT_AT_ONCE; i += 1) {
      const [oldest] = byKey;
      if (oldest === undefined || (byKey.size < MAX_KEYS && oldest[1].until > now)) return;
      byKey.delete(oldest[0]);
    }
  };

  return {
    take(key, limit) {
      const now = clock();
      const counted = byKey.get(key) ?? { entries: [], until: now };
      // Set anew, a Map's entry is its last: the first is the one to forget.
      byKey.delete(key);
      forget(now);
      byKey.set(key, counted);
      const taken = count(counted.entries, limit, now);
      const state = stateOf(counted.entries, limit, now, taken);
      counted.until = now + state.resetMs;
      return state;
    },
    isFull: (key, most) => (running.get(key) ?? 0) >= most,
    begin(key, most) {
      const count = running.get(key) ?? 0;
      if (count >= most) return false;
      running.set(key, count + 1);
      return true;
    },
    end(key) {
      const left = (running.get(key) ?? 0) - 1;
      if (left > 0) running.set(key, left);
      else running.delete(key);
    },
  };
}

/** @returns whether one more was counted */
function count(entries: Entry[], { count: most, windowMs }: RateLimit, now: number): boolean {
  while (entries[0] !== undefined && entries[0].last + windowMs <= now) entries.shift();
  if (totalOf(entries) >= most) return false;
  const newest = entries.at(-1);
  if (most > PARTS && newest !== undefined && now - newest.first < windowMs / PARTS) {
    newest.last = now;
    newest.count += 1;
  } else {
    entries.push({ first: now, last: now, count: 1 });
  }
  return true;
}

function stateOf(entries: readonly Entry[], { count: most, windowMs }: RateLimit, now: number, taken: boolean): RateState {
  const total = totalOf(entries);
  let left = total;
  let retryAfterMs = 0;
  for (const { last, count: freed } of entries) {
    if (left < most) break;
    left -= freed;
    retryAfterMs = last + windowMs - now;
  }
  const resetMs = (entries.at(-1)?.last ?? now - windowMs) + windowMs - now;
  return { taken, remaining: Math.max(0, most - total), retryAfterMs, resetMs };
}

function totalOf(entries: readonly Entry[]): number {
  return entries.reduce((total, entry) => total + entry.count, 0);
}
