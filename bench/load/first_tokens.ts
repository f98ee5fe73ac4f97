// One request at a time, the targets by turns: how long the first piece of text takes, and after the last one the end.
import { summarize } from '../statistics.ts';
import { createCheck } from './checks.ts';
import { openConnection } from './connection.ts';
import { createDeviationLog } from './deviations.ts';
import type { FirstTokensJob, FirstTokensResult, Target } from './jobs.ts';

/** Requests before the ones that count, so that neither connections nor cold code are measured. */
const WARM_UP = 50;

/** Asks each target in turn, so that all meet the same moments of the machine. */
export async function runFirstTokens({ targets, count }: FirstTokensJob): Promise<FirstTokensResult> {
  const deviations = createDeviationLog();
  const askers = await Promise.all(targets.map(openAsker));
  for (let index = 0; index < WARM_UP + count && !deviations.tooMany(); index++) {
    for (const asker of askers) {
      const deviation = await asker.ask(index >= WARM_UP);
      if (deviation !== null) deviations.add(deviation);
    }
  }
  for (const asker of askers) asker.close();
  return {
    firstToken: askers.map((asker) => summarize(asker.firstTokenMs)),
    ending: askers.map((asker) => summarize(asker.endingMs)),
    deviations: deviations.result(),
  };
}

async function openAsker(target: Target) {
  const firstTokenMs: number[] = [];
  const endingMs: number[] = [];
  let firstAtMs = 0;
  let lastAtMs = 0;
  const onText = () => {
    lastAtMs = performance.now();
    if (firstAtMs === 0) firstAtMs = lastAtMs;
  };
  const connection = await openConnection(target, createCheck(target.kind, false, onText));
  const ask = async (counts: boolean) => {
    firstAtMs = 0;
    const askedMs = performance.now();
    const deviation = await connection.exchange();
    if (counts && deviation === null) {
      firstTokenMs.push(firstAtMs - askedMs);
      endingMs.push(performance.now() - lastAtMs);
    }
    return deviation;
  };
  return { ask, firstTokenMs, endingMs, close: connection.close };
}
