// The limits of the embedded store: against a model that remembers everything, and in bounded memory.
import fc from 'fast-check';
import t from 'tap';
import type { RateLimit } from '../../../shared/config_values.ts';
import { memoryLimits } from '../../../supervisor/store/limits_memory.ts';
import type { LimitStore, RateState } from '../../../supervisor/store/limits.ts';

/** A store on a clock that the test sets. */
function timed(): { readonly store: LimitStore; at(ms: number): void; take(key: string, limit: RateLimit): RateState } {
  let now = 0;
  const store = memoryLimits(() => now);
  return { store, at: (ms) => void (now = ms), take: (key, limit) => store.take(key, limit) as RateState };
}

/** Requests at times that often fall together, and on the edges of windows and of their parts. */
const steps = (windowMs: number) =>
  fc.array(fc.oneof(fc.constantFrom(0, 1, windowMs / 64, windowMs / 64 - 1, windowMs / 2, windowMs - 1, windowMs), fc.nat(windowMs / 8)), {
    minLength: 1,
    maxLength: 400,
  });

const within = (times: readonly number[], after: number): number => times.filter((time) => time > after).length;

t.test('no window has more than the limit, and nothing is refused that the model takes, but for what came together', async () => {
  const windowMs = 6400;
  const property = fc.property(steps(windowMs), fc.integer({ min: 1, max: 150 }), (pauses, count) => {
    const { at, take } = timed();
    const taken: number[] = [];
    let now = 0;
    for (const pause of pauses) {
      now += pause;
      at(now);
      const state = take('a', { count, windowMs });
      const before = within(taken, now - windowMs);
      if (state.taken) taken.push(now);
      if (state.taken && before >= count) throw new Error(`${before + 1} of ${count} at ${now}`);
      const slackMs = count <= 64 ? 0 : windowMs / 64;
      if (!state.taken && within(taken, now - windowMs - slackMs) < count) throw new Error(`refused after ${before} of ${count}`);
      checkState(state, taken, { count, windowMs }, now);
    }
  });
  fc.assert(property, { seed: 20_260_102, numRuns: 300 });
});

/** Against a model that remembers each request: what is counted together may be forgotten later by a part of the window, and never earlier. */
function checkState({ remaining, retryAfterMs, resetMs }: RateState, taken: readonly number[], { count, windowMs }: RateLimit, now: number): void {
  const slackMs = count <= 64 ? 0 : windowMs / 64;
  const [most, least] = [count - within(taken, now - windowMs), count - within(taken, now - windowMs - slackMs)];
  if (remaining > most || remaining < Math.max(0, least)) throw new Error(`${remaining} remain instead of ${most}`);
  // The one that has to be forgotten before the next is taken.
  const inTheWayMs = (taken.at(-count) ?? now - windowMs) + windowMs - now;
  const isRight = remaining > 0 ? retryAfterMs === 0 : retryAfterMs > 0 && retryAfterMs >= inTheWayMs && retryAfterMs <= inTheWayMs + slackMs;
  if (!isRight) throw new Error(`again in ${retryAfterMs} instead of ${inTheWayMs}`);
  if (resetMs !== (taken.at(-1) ?? 0) + windowMs - now) throw new Error(`all again in ${resetMs}`);
}

t.test('whoever comes back when told to is taken, and a moment earlier is not', async () => {
  const windowMs = 6400;
  const property = fc.property(steps(windowMs), fc.integer({ min: 1, max: 150 }), (pauses, count) => {
    const { at, take } = timed();
    let now = 0;
    for (const pause of pauses) {
      now += pause;
      at(now);
      const { taken, retryAfterMs } = take('a', { count, windowMs });
      if (taken) continue;
      at(now + retryAfterMs - 1);
      if (take('a', { count, windowMs }).taken) throw new Error('taken earlier');
      now += retryAfterMs;
      at(now);
      if (!take('a', { count, windowMs }).taken) throw new Error('refused again');
    }
  });
  fc.assert(property, { seed: 20_260_103, numRuns: 200 });
});

t.test('what is told at each request of a limit of two a minute', async (t) => {
  const { at, take } = timed();
  const limit = { count: 2, windowMs: 60_000 };
  t.strictSame(take('a', limit), { taken: true, remaining: 1, retryAfterMs: 0, resetMs: 60_000 });
  at(10_000);
  t.strictSame(take('a', limit), { taken: true, remaining: 0, retryAfterMs: 50_000, resetMs: 60_000 });
  at(20_000);
  t.strictSame(take('a', limit), { taken: false, remaining: 0, retryAfterMs: 40_000, resetMs: 50_000 });
  t.strictSame(take('b', limit), { taken: true, remaining: 1, retryAfterMs: 0, resetMs: 60_000 }, 'another key has its own');
  at(60_000);
  t.strictSame(take('a', limit), { taken: true, remaining: 0, retryAfterMs: 10_000, resetMs: 60_000 });
  const smaller = take('a', { count: 1, windowMs: 60_000 });
  t.strictSame(smaller, { taken: false, remaining: 0, retryAfterMs: 60_000, resetMs: 60_000 }, 'a limit may shrink');
});

t.test('a key takes 65 entries at most, however much it counts', async (t) => {
  const { at, take } = timed();
  const windowMs = 64_000;
  for (let now = 0; now < 3 * windowMs; now += 100) {
    at(now);
    take('a', { count: 100_000, windowMs });
  }
  // A smaller limit changes nothing, and tells when so many are left: each entry is forgotten at a time of its own.
  const ends = new Set<number>();
  for (let count = 1; count <= 640; count += 1) {
    const { taken, retryAfterMs } = take('a', { count, windowMs });
    t.notOk(taken);
    ends.add(retryAfterMs);
  }
  t.ok(ends.size > 60 && ends.size <= 65, `${ends.size} entries`);
});

t.test('as many keys are remembered as fit, those that were seen last', async (t) => {
  const { at, take } = timed();
  const limit = { count: 1, windowMs: 60_000 };
  for (const key of ['first', 'second']) t.ok(take(key, limit).taken);
  at(1);
  t.notOk(take('first', limit).taken, 'to be refused is to be seen');
  for (let i = 0; i < 9_999; i += 1) take(`key ${i}`, limit);
  t.notOk(take('first', limit).taken, 'known');
  t.ok(take('second', limit).taken, 'forgotten');
  t.notOk(take('key 9998', limit).taken);
  at(60_002);
  t.ok(take('first', limit).taken, 'what has expired counts no more');
});

t.test('so many go on at once, for each key', async (t) => {
  const store = memoryLimits();
  t.strictSame([store.begin('a', 2), store.begin('a', 2), store.begin('a', 2), store.begin('b', 2)], [true, true, false, true]);
  store.end('a');
  t.strictSame([store.begin('a', 2), store.begin('a', 2)], [true, false]);
  for (const key of ['a', 'a', 'b']) store.end(key);
  store.end('never begun');
  t.strictSame([store.begin('a', 1), store.begin('b', 1), store.begin('never begun', 1)], [true, true, true]);
});
