// The closed loop: each of several askers asks again as soon as its answer is whole, for a time.
import { createDeviationLog } from './deviations.ts';
import type { ClosedLoopResult } from './jobs.ts';

/** Asks once: null if the answer was whole, else what was wrong with it. */
export type Ask = () => Promise<string | null>;

/** Runs until `durationMs` is over and the answers then under way have ended; `elapsedMs` is until the last of them. */
export async function runLoop(asks: readonly Ask[], durationMs: number): Promise<ClosedLoopResult> {
  const deviations = createDeviationLog();
  const startedMs = performance.now();
  let completed = 0;
  const askAgain = async (ask: Ask) => {
    while (performance.now() - startedMs < durationMs && !deviations.tooMany()) {
      const deviation = await ask();
      if (deviation === null) completed += 1;
      else deviations.add(deviation);
    }
  };
  await Promise.all(asks.map(askAgain));
  return { completed, elapsedMs: performance.now() - startedMs, deviations: deviations.result() };
}
