// What a store of sessions keeps, and its bounds.

/** Beyond these, a session's oldest whole turns are dropped. */
export const MAX_SESSION_ITEMS = 2000;
export const MAX_SESSION_BYTES = 8 * 1024 * 1024;

export interface SessionHead {
  readonly owner: string;
  readonly userId: string;
  /** Turns that were ever appended, dropped ones included. */
  readonly turnCount: number;
}

export interface StoredSession {
  readonly owner: string;
  readonly userId: string;
  /** ms since 1970, as `updatedAt`. */
  readonly createdAt: number;
  readonly updatedAt: number;
  /** Each a JSON array of items, oldest first. */
  readonly turns: readonly string[];
}

/** A turn to append. */
export interface NewTurn {
  readonly sessionId: string;
  readonly owner: string;
  readonly userId: string;
  /** No session can have this id yet: it was made for this turn. */
  readonly isFirst: boolean;
  /** JSON array of items. */
  readonly items: string;
  readonly itemCount: number;
  /** ms since 1970. */
  readonly now: number;
  /** How long the session is kept from now on, where this is not its first turn. */
  readonly ttlMs: number;
  /** … and where it is. */
  readonly firstTtlMs: number;
}
