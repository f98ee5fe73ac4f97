// Many streams of a model that takes its time: whether all come whole, how many events a second, and how late each token is.
import { setTimeout as delay } from 'node:timers/promises';
import { nowUs, TOKEN_COUNT, TOKEN_INTERVAL_MS } from '../answer.ts';
import { summarize } from '../statistics.ts';
import { createCheck } from './checks.ts';
import { openConnection } from './connection.ts';
import { createDeviationLog } from './deviations.ts';
import type { PacedJob, PacedResult } from './jobs.ts';

const STREAM_MS = TOKEN_COUNT * TOKEN_INTERVAL_MS;

/** Keeps `streams` open at a time; counts and times the tokens from when all have begun to when the first must not begin again. */
export async function runPaced({ target, streams, durationMs }: PacedJob): Promise<PacedResult> {
  const deviations = createDeviationLog();
  const latenessMs: number[] = [];
  const startedMs = performance.now();
  const measureFromMs = startedMs + STREAM_MS;
  const measureToMs = measureFromMs + durationMs;
  let completed = 0;

  const onText = (sentUs: number) => {
    const now = performance.now();
    if (now >= measureFromMs && now < measureToMs) latenessMs.push((nowUs() - sentUs) / 1000);
  };
  const keepStreaming = async (index: number) => {
    await delay((STREAM_MS * index) / streams);
    let connection = await openConnection(target, createCheck(target.kind, true, onText));
    while (performance.now() < measureToMs && !deviations.tooMany()) {
      if (!connection.isOpen()) connection = await openConnection(target, createCheck(target.kind, true, onText));
      const deviation = await connection.exchange();
      if (deviation === null) completed += 1;
      else deviations.add(deviation);
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: streams }, (_, index) => keepStreaming(index)));
  return {
    completed,
    eventsPerSecond: (latenessMs.length * 1000) / durationMs,
    lateness: summarize(latenessMs),
    deviations: deviations.result(),
  };
}
