// Cuts a stream of bytes into lines, in memory that is bounded however the bytes come.

const NEWLINE = 10;
const NOTHING = Buffer.alloc(0);

/**
 * @param limit most bytes of one line
 * @param onLine a line without its end; the bytes are the caller's until it returns
 * @param onTooLong the first `limit` bytes of a line that has more; the rest of it is skipped
 */
export function createLineReader(limit: number, onLine: (line: Buffer) => void, onTooLong: (start: Buffer) => void): (chunk: Buffer) => void {
  // Grows by doubling: a list of chunks would cost a hundred times its bytes where a writer sends one at a time.
  let held = NOTHING;
  let length = 0;
  let skipping = false;

  const hold = (piece: Buffer): void => {
    if (skipping) return;
    const room = Math.min(piece.length, limit - length);
    if (length + room > held.length) {
      const larger = Buffer.allocUnsafe(Math.min(limit, Math.max(held.length * 2, length + room)));
      held.copy(larger, 0, 0, length);
      held = larger;
    }
    piece.copy(held, length, 0, room);
    length += room;
    if (room === piece.length) return;
    skipping = true;
    onTooLong(held.subarray(0, length));
    held = NOTHING;
    length = 0;
  };

  const finish = (piece: Buffer): void => {
    if (length === 0 && !skipping && piece.length <= limit) return onLine(piece);
    hold(piece);
    if (!skipping) onLine(held.subarray(0, length));
    held = NOTHING;
    length = 0;
    skipping = false;
  };

  return (chunk) => {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, from)) {
      finish(chunk.subarray(from, end));
      from = end + 1;
    }
    if (from < chunk.length) hold(chunk.subarray(from));
  };
}
