// Waits for threads to be gone, but not for those that nothing but the end of the process can end.
import { setTimeout as sleep } from 'node:timers/promises';

/** JavaScript, an endless loop included, is terminated within 5 ms; a blocking call (execSync, SQLite, native code) is over when it is over. */
const TERMINATE_LIMIT_MS = 300;

/**
 * For whoever cannot wait for an agent's blocking call: a stop, or the answer that a version did not load.
 * @param gone resolves when the threads are gone
 * @param graceMs what their agents may take to close what they hold, before they are terminated
 * @returns whether they are gone
 */
export function goneInTime(gone: Promise<unknown>, graceMs = 0): Promise<boolean> {
  return settledIn(gone, graceMs + TERMINATE_LIMIT_MS);
}

/** @returns whether `awaited` has come within so long */
export async function settledIn(awaited: Promise<unknown>, limitMs: number): Promise<boolean> {
  const limit = new AbortController();
  const late = sleep(limitMs, false, { signal: limit.signal }).catch(() => false);
  const isSettled = await Promise.race([awaited.then(() => true), late]);
  limit.abort();
  return isSettled;
}
