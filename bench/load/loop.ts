// The closed loop: each of several askers asks again as soon as its answer is whole, for a time.
import { summarize } from '../statistics.ts';
import { createDeviationLog } from './deviations.ts';
import type { ClosedLoopResult } from './jobs.ts';

/** Asks once: null if the answer was whole, else what was wrong with it. */
export type Ask = () => Promise<string | null>;

/** Runs until `durationMs` is over and the answers then under way have ended; `elapsedMs` is until the last of them. */
export async function runLoop(asks: readonly Ask[], durationMs: number): Promise<ClosedLoopResult> {
  const deviations = createDeviationLog();
  const startedMs = performance.now();
  const tookMs: number[] = [];
  const askAgain = async (ask: Ask) => {
    while (performance.now() - startedMs < durationMs && !deviations.tooMany()) {
      const askedMs = performance.now();
      const deviation = await ask();
      if (deviation === null) tookMs.push(performance.now() - askedMs);
      else deviations.add(deviation);
    }
  };
  await Promise.all(asks.map(askAgain));
  const elapsedMs = performance.now() - startedMs;
  return { completed: tookMs.length, elapsedMs, took: summarize(tookMs), deviations: deviations.result() };
}
