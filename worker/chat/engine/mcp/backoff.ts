// When a lost MCP server is tried again: at first soon, then more and more rarely.

const FIRST_DELAY_MS = 500;
const LAST_DELAY_MS = 30_000;
/** A connection that lived so long was sound: what ends it is a new story. */
const SOUND_AFTER_MS = 10_000;

export class Backoff {
  #failures = 0;

  /** A connection is lost that lived so long. */
  lost(livedMs: number): void {
    if (livedMs > SOUND_AFTER_MS) this.#failures = 0;
  }

  /** @returns how long to wait before the next attempt, in ms */
  next(): number {
    const delayMs = Math.min(LAST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#failures);
    this.#failures += 1;
    // Half of it by chance: the workers of a machine lose a server together, and should not come back together.
    return delayMs * (0.5 + Math.random() / 2);
  }
}
