// The room in the spool: what is taken, and what is kept free so that every interaction that is open in it can end in it.
import type { LineKind } from './line_queue.ts';
import { NEARLY_FULL, NO_MORE_OPENED } from './spool_limits.ts';

export interface Room {
  /** @param used bytes that are taken @returns whether a line of so many more may be written */
  has(kind: LineKind, interactionId: string, bytes: number, used: number): boolean;
  /** Keeps so much free, until `release`. */
  reserve(interactionId: string, bytes: number): void;
  release(interactionId: string): void;
  holds(interactionId: string): boolean;
  /** Whether there is hardly any left. */
  isNearlyTaken(used: number): boolean;
}

export function createRoom(maxBytes: number): Room {
  const reserved = new Map<string, number>();
  let free = 0;
  const release = (interactionId: string): void => {
    free -= reserved.get(interactionId) ?? 0;
    reserved.delete(interactionId);
  };
  return {
    has(kind, interactionId, bytes, used) {
      // An interrupted one takes the place of its own opened one, whose segment may go when it is written, and not before.
      if (kind === 'interrupted') return true;
      const others = free - (reserved.get(interactionId) ?? 0);
      return used + bytes + others <= maxBytes * (kind === 'open' ? NO_MORE_OPENED : 1);
    },
    reserve(interactionId, bytes) {
      release(interactionId);
      reserved.set(interactionId, bytes);
      free += bytes;
    },
    release,
    holds: (interactionId) => reserved.has(interactionId),
    isNearlyTaken: (used) => used + free > maxBytes * NEARLY_FULL,
  };
}
