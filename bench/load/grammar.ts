// The order of events in a stream: what each kind of target sends, event by event.

/** Called for each piece of text, with the time stamp in it where it has one, else 0. */
export type OnText = (sentUs: number) => void;

export interface Grammar {
  /** null if this event may come now, else what was expected. */
  readonly next: (bytes: Buffer, start: number, end: number) => string | null;
  /** How many events a whole stream has. */
  readonly length: number;
  /** Begins anew, for the next stream. */
  readonly reset: () => void;
}

/** The last event of every stream. */
export const DONE = Buffer.from('data: [DONE]');

export function startsWith(bytes: Buffer, at: number, expected: Buffer): boolean {
  return at + expected.length <= bytes.length && bytes.compare(expected, 0, expected.length, at, at + expected.length) === 0;
}
