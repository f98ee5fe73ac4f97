// The order within a session: its interactions run one after another, as their requests were complete.

/** Most interactions that may wait for one session. */
const MAX_WAITING = 128;

interface Line {
  readonly owner: string;
  readonly waiting: Set<() => void>;
}

export class SessionOrder {
  readonly #lines = new Map<string, Line>();

  /** Who started the interaction that runs in the session now, if one does. */
  ownerOf(sessionId: string): string | undefined {
    return this.#lines.get(sessionId)?.owner;
  }

  isBusy(sessionId: string): boolean {
    return this.#lines.has(sessionId);
  }

  /** Whether no more may wait. */
  isFull(sessionId: string): boolean {
    return (this.#lines.get(sessionId)?.waiting.size ?? 0) >= MAX_WAITING;
  }

  /**
   * Calls `begin` when it is its turn: now, if nothing runs in the session. Whoever has begun calls `leave` once.
   * @returns takes it out again while it waits; false when it has begun
   */
  enter(sessionId: string, owner: string, begin: () => void): () => boolean {
    const line = this.#lines.get(sessionId);
    if (line === undefined) {
      this.#lines.set(sessionId, { owner, waiting: new Set() });
      begin();
      return () => false;
    }
    line.waiting.add(begin);
    return () => line.waiting.delete(begin);
  }

  /** The interaction that ran has ended: the next one begins. */
  leave(sessionId: string): void {
    const line = this.#lines.get(sessionId);
    if (line === undefined) return;
    const [next] = line.waiting;
    if (next === undefined) {
      this.#lines.delete(sessionId);
      return;
    }
    line.waiting.delete(next);
    next();
  }
}
