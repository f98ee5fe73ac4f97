// Texts of a listing on their way to its reader: in portions, each of which the reader has asked for before it is made.

/** UTF-16 units; a portion is as long, or little longer than the text that fills it up. */
const PORTION_LENGTH = 64 * 1024;

/** What the reader takes more. */
export interface Credits {
  add(portions: number): void;
  /** Resolves when there is one, and uses it. @throws the signal's reason */
  take(signal: AbortSignal): Promise<void>;
}

export function createCredits(): Credits {
  let left = 0;
  let wake: (() => void) | undefined;
  return {
    add(portions) {
      left += portions;
      wake?.();
    },
    async take(signal) {
      const stop = (): void => wake?.();
      signal.addEventListener('abort', stop);
      while (left === 0 && !signal.aborted) await new Promise<void>((resolve) => (wake = resolve));
      signal.removeEventListener('abort', stop);
      signal.throwIfAborted();
      left -= 1;
    },
  };
}

/** Resolves when all is sent. Nothing is read of the texts before the reader takes more. @throws the signal's reason, and what the texts throw */
export async function sendPortions(texts: AsyncIterable<string>, credits: Credits, signal: AbortSignal, send: (portion: string) => void): Promise<void> {
  let pending = '';
  const sendFirst = async (length: number): Promise<void> => {
    send(pending.slice(0, length));
    pending = pending.slice(length);
    await credits.take(signal);
  };
  await credits.take(signal);
  for await (const text of texts) {
    pending += text;
    while (pending.length >= PORTION_LENGTH) await sendFirst(wholeLength(pending, PORTION_LENGTH));
  }
  if (pending !== '') send(pending);
}

/** Each portion is made bytes by itself: no character may be cut in two. */
function wholeLength(text: string, length: number): number {
  const last = text.charCodeAt(length - 1);
  return last >= 0xd800 && last <= 0xdbff ? length - 1 : length;
}
