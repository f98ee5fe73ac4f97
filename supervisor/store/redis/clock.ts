// Redis's clock, as far as it is known here: those of several machines need not agree, and that of Redis is the one they share.

/** A better estimate is not waited for longer than this; clocks drift apart by some µs a second. */
const KEPT_MS = 60_000;
/** Clocks may go apart by so much meanwhile. */
const DRIFT_MS = 10;

export class Clock {
  #offsetMs = Date.now() - performance.now();
  #errorMs = Number.POSITIVE_INFINITY;
  #setAt = Number.NEGATIVE_INFINITY;

  /**
   * Takes in what Redis said the time was. The shorter the question took, the more exact it is: half of that is the most it can be wrong by.
   * @param redisMs since 1970 @param asked like `answered` on the clock of `performance.now()`
   */
  set(redisMs: number, asked: number, answered: number): void {
    const errorMs = (answered - asked) / 2;
    const offsetMs = redisMs - (asked + answered) / 2;
    // Both cannot be right: Redis's clock was set, or it is another's, as after a failover.
    const isAnother = Math.abs(offsetMs - this.#offsetMs) > errorMs + this.#errorMs + DRIFT_MS;
    if (errorMs > this.#errorMs && answered - this.#setAt < KEPT_MS && !isAnother) return;
    this.#offsetMs = offsetMs;
    this.#errorMs = errorMs;
    this.#setAt = answered;
  }

  /** ms since 1970 */
  now(): number {
    return performance.now() + this.#offsetMs;
  }
}
