// Callers that ask again and again, with a token or without one, and note how long each answer takes.
import { Pool } from 'undici';
import { summarize } from '../statistics.ts';
import { createDeviationLog } from './deviations.ts';
import type { CallersJob, CallerTarget, CallersResult } from './jobs.ts';

/** Asks for each target in turn, so that all meet the same moments of the machine. */
export async function runCallers({ targets, count, atOnce, warmUp, withinMs = Number.POSITIVE_INFINITY }: CallersJob): Promise<CallersResult> {
  const deviations = createDeviationLog();
  const callers = targets.map((target) => ({ target, pool: new Pool(`http://127.0.0.1:${target.port}`, { connections: atOnce }), tookMs: [] as number[] }));
  let until = Number.POSITIVE_INFINITY;
  for (let index = -warmUp; index < count && performance.now() < until && !deviations.tooMany(); index += atOnce) {
    if (index >= 0 && until === Number.POSITIVE_INFINITY) until = performance.now() + withinMs;
    for (const { target, pool, tookMs } of callers) {
      const asked = Array.from({ length: atOnce }, () => ask(pool, target));
      for (const { status, ms } of await Promise.all(asked)) {
        if (status !== 200) deviations.add(`status ${status}`);
        if (index >= 0) tookMs.push(ms);
      }
    }
  }
  await Promise.all(callers.map(({ pool }) => pool.close()));
  return { took: callers.map(({ tookMs }) => summarize(tookMs)), deviations: deviations.result() };
}

async function ask(pool: Pool, { path, token, body: sent }: CallerTarget): Promise<{ readonly status: number; readonly ms: number }> {
  const askedMs = performance.now();
  const method = sent === null ? 'GET' : 'POST';
  const headers = { ...headersOf(token), ...(sent === null ? {} : { 'content-type': 'application/json' }) };
  const { statusCode, body } = await pool.request({ method, path, headers, body: sent });
  // Not dump(), which reads no more than 128 KiB.
  await body.arrayBuffer();
  return { status: statusCode, ms: performance.now() - askedMs };
}

function headersOf(token: string | null): Record<string, string> {
  return token === null ? {} : { authorization: `Bearer ${token}` };
}
