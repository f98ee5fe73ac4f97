// What there is of an answer that broke off, from the events that are kept of it.
import type { EventBatch } from '../interactions/ring.ts';

/** Stands for the beginning, where that has been given up already. */
const CUT = '…';

/**
 * Joins the pieces of the last message that had any.
 * @param newestFirst the kept events, of which the first ever is the start
 * @returns null where there was no text
 */
export function partialAnswer(newestFirst: Iterable<EventBatch>): string | null {
  const pieces: string[] = [];
  let last: number | null = null;
  for (const { events } of newestFirst) {
    for (const event of events.toReversed()) {
      if (event.startsWith('{"type":"start"')) return joined(pieces);
      if (!event.startsWith('{"type":"text"')) continue;
      const { content, message } = JSON.parse(event) as { readonly content: string; readonly message: number };
      last ??= message;
      if (message !== last) return joined(pieces);
      pieces.push(content);
    }
  }
  return pieces.length === 0 ? null : CUT + pieces.reverse().join('');
}

function joined(pieces: string[]): string | null {
  return pieces.length === 0 ? null : pieces.reverse().join('');
}
