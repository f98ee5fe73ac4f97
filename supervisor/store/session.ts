// What a store of sessions keeps, its bounds, and what it can be asked. A store that answers over a network returns promises.
import type { Place } from './order.ts';

/** Beyond these, a session's oldest whole turns are dropped. */
export const MAX_SESSION_ITEMS = 2000;
export const MAX_SESSION_BYTES = 8 * 1024 * 1024;

/** What a worker is sent of a session. */
export interface SessionHistory {
  /** Turns that were ever appended, dropped ones included. */
  readonly turnCount: number;
  /** The newest whole turns, oldest first, each a JSON array of items. */
  readonly turns: readonly string[];
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

/** Every method may throw, or reject, where the store cannot be reached. */
export interface SessionStore {
  /** Its newest whole turns of together at most `maxItems` items. @param now ms since 1970, as everywhere */
  history(sessionId: string, maxItems: number, now: number): SessionHistory | Promise<SessionHistory>;
  /** The whole session, for its reader; null where there is none, or it has expired. */
  read(sessionId: string, now: number): StoredSession | null | Promise<StoredSession | null>;
  /** Appends a turn, dropping the oldest ones beyond the bounds. Resolves when it is stored. @param place whose turn it is */
  append(turn: NewTurn, place: Place): Promise<void>;
  /** @param place whose turn it is @returns whether there was one */
  delete(sessionId: string, place: Place): boolean | Promise<boolean>;
}

/** @returns the bytes of its items @throws Error where it alone is more than a session may hold */
export function checkTurn({ items, itemCount }: NewTurn): number {
  const bytes = Buffer.byteLength(items);
  if (itemCount <= MAX_SESSION_ITEMS && bytes <= MAX_SESSION_BYTES) return bytes;
  throw new Error(`one turn of ${itemCount} items and ${bytes} bytes is more than a session may hold`);
}
