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
  /** The end of what came, which may be the beginning of a delimiter; the first one may stand at the very beginning, without a line before it. */
  let tail = Buffer.from('\r\n');
  let parts = 0;
  let closed = false;
  return {
    push(chunk) {
      if (closed) return;
      const bytes = Buffer.concat([tail, chunk]);
      let from = 0;
      for (;;) {
        const at = bytes.indexOf(delimiter, from);
        const end = at + delimiter.length;
        if (at === -1 || end + 2 > bytes.length) {
          tail = Buffer.from(bytes.subarray(at === -1 ? Math.max(from, bytes.length - delimiter.length + 1) : at));
          return;
        }
        closed = bytes[end] === DASH && bytes[end + 1] === DASH;
        if (closed) return;
        parts += 1;
        from = end;
      }
    },
    get parts() {
      return parts;
    },
  };
}
