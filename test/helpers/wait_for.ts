// Waiting for a condition, instead of sleeping and hoping.
import { setTimeout as delay } from 'node:timers/promises';

/** Resolves with the first value of `probe` that is neither false, null nor undefined; rejects, naming `what`, when none comes in `timeoutMs`. */
export async function waitFor<T>(what: string, probe: () => T | Promise<T>, timeoutMs = 10_000): Promise<Exclude<T, false | null | undefined>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== false && value != null) return value as Exclude<T, false | null | undefined>;
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await delay(10);
  }
}
