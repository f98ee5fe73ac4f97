// Follows the boundaries of a multipart body beside busboy, for two things that busboy does not do, see there.

const DASH = 45;

export interface PartCount {
  /**
   * Takes the next bytes of the body.
   * @returns how many of them stand before the end of the closing boundary. No more may be given to busboy: if a part begins behind it in the same
   * chunk, busboy waits for its end for ever.
   */
  push(chunk: Buffer): number;
  /** Parts that have begun. Busboy drops those whose Content-Disposition it cannot read, and nobody would notice that a file is missing. */
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
  /** Counts the delimiters that lie in the bytes whole. @returns where the closing one ends; -1 where there is none */
  const count = (bytes: Buffer): number => {
    for (let at = bytes.indexOf(delimiter); at !== -1 && at + length <= bytes.length; at = bytes.indexOf(delimiter, at + delimiter.length)) {
      closed = bytes[at + delimiter.length] === DASH && bytes[at + delimiter.length + 1] === DASH;
      if (closed) return at + length;
      parts += 1;
    }
    return -1;
  };
  return {
    push(chunk) {
      if (closed) return 0;
      // A large chunk is not copied: only where it meets the one before it.
      const seam = count(Buffer.concat([tail, chunk.subarray(0, length - 1)]));
      if (seam !== -1) return seam - tail.length;
      const end = count(chunk);
      if (end !== -1) return end;
      tail = Buffer.from(chunk.length >= length ? chunk.subarray(1 - length) : Buffer.concat([tail, chunk]).subarray(1 - length));
      return chunk.length;
    },
    get parts() {
      return parts;
    },
  };
}
