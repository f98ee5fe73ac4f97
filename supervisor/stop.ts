// The end of a server that drops nothing: not ready, then no new connection, then what runs may finish until the deadline.
import { setTimeout as sleep } from 'node:timers/promises';
import type { HttpServer } from './http/server.ts';
import type { Interactions } from './interactions/interactions.ts';

/** For the last events to leave when a drain is cut, where their readers are slow. */
const LAST_WORDS_MS = 500;

export interface DrainOptions {
  readonly http: Pick<HttpServer, 'close' | 'hurry' | 'destroy'>;
  readonly interactions: Pick<Interactions, 'idle' | 'endAll'>;
  /** How long it goes on accepting. */
  readonly delayMs: number;
  /** How long connections and interactions may take to run out after that. */
  readonly timeoutMs: number;
}

/**
 * Resolves when no connection and no interaction is left: at the deadline each that still runs is told `shutting_down`.
 * @returns whether all had ended before the deadline
 */
export async function drain({ http, interactions, delayMs, timeoutMs }: DrainOptions): Promise<boolean> {
  await sleep(delayMs);
  const deadline = Promise.withResolvers<'late'>();
  const timer = setTimeout(() => deadline.resolve('late'), timeoutMs);
  const closed = http.close().then(() => interactions.idle());
  const isLate = (await Promise.race([closed, deadline.promise])) === 'late';
  if (isLate) {
    http.hurry();
    interactions.endAll();
    const lastWords = setTimeout(() => http.destroy(), LAST_WORDS_MS);
    await closed;
    clearTimeout(lastWords);
  }
  clearTimeout(timer);
  return !isLate;
}
