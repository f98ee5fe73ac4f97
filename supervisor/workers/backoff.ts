// How long the places of a generation wait for another worker: longer and longer where one breaks again and again, while the others serve.

const FIRST_MS = 100;
/** Of boots that fail. */
const LAST_MS = 30_000;
/** Of workers that started well: what broke them is likely an interaction, and the others wait for their place. */
const LAST_SERVED_MS = 500;
/** A worker that lived so long was sound: its replacement starts without delay. */
const SOUND_AFTER_MS = 60_000;

export class Backoff {
  readonly #delaysMs = new Map<number, number>();

  /**
   * The delay before the next attempt, in ms.
   * @param bornAt of the worker that has broken, on the clock of `performance.now()`
   * @param hasFailed its replacement did not boot: however long it has lived, that is no reason to try at once, again and again
   */
  next(place: number, bornAt: number, hasFailed: boolean): number {
    const isSound = !hasFailed && performance.now() - bornAt > SOUND_AFTER_MS;
    const lastMs = hasFailed ? LAST_MS : LAST_SERVED_MS;
    const delayMs = isSound ? 0 : Math.min(lastMs, this.#delaysMs.get(place) ?? 0);
    this.#delaysMs.set(place, isSound ? FIRST_MS : Math.min(lastMs, Math.max(FIRST_MS, delayMs * 2)));
    return delayMs;
  }
}
