// Counts the parts of a multipart body: busboy drops those whose Content-Disposition it cannot read, and nobody would notice that a file is missing.

const DASH = 45;

export interface PartCount {
  /** Takes the next bytes of the body. */
  push(chunk: Buffer): void;
  /** Parts that have begun; what follows the closing boundary counts no more. */
  readonly parts: number;
}

/** @param boundary in ASCII, as the body's Content-Type has it */
export function countParts(boundary: string): PartCount {
  const delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  /** With the two bytes after it, which tell whether it is the closing one. */
  const length = delimiter.length + 2;
  /** The end of what came, which may be the beginning of a delimiter; the first one may stand at the very beginning, without a line before it. */
  let tail = Buffer.from('\r\n');
  let parts = 0;
  let closed = false;
  /** Counts the delimiters that lie in the bytes whole. */
  const count = (bytes: Buffer): void => {
    for (let at = bytes.indexOf(delimiter); at !== -1 && at + length <= bytes.length && !closed; at = bytes.indexOf(delimiter, at + delimiter.length)) {
      closed = bytes[at + delimiter.length] === DASH && bytes[at + delimiter.length + 1] === DASH;
      if (!closed) parts += 1;
    }
  };
  return {
    push(chunk) {
      if (closed) return;
      // A large chunk is not copied: only where it meets the one before it.
      count(Buffer.concat([tail, chunk.subarray(0, length - 1)]));
      count(chunk);
      tail = Buffer.from(chunk.length >= length ? chunk.subarray(1 - length) : Buffer.concat([tail, chunk]).subarray(1 - length));
    },
    get parts() {
      return parts;
    },
  };
}
