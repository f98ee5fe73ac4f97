// The parts of a body and its end: the same, however the body is cut into pieces.
import t from 'tap';
import { countParts } from '../../../supervisor/http/part_count.ts';

const BOUNDARY = '-b';
const D = `--${BOUNDARY}`;
const BODIES: readonly (readonly [string, number])[] = [
  ['', 0],
  [`${D}--`, 0],
  [`${D}\r\nhead\r\n\r\nbody\r\n${D}--\r\n`, 1],
  [`preamble\r\n${D}\r\n\r\n\r\n${D}\r\n\r\n\r\n${D}--`, 2],
  [`${D}\r\n\r\n\r\n${D}`, 1],
  [`${D}\r\n\r\n\r\n${D}-`, 1],
  [`${D}\r\n\r\n\r\n${D}-x`, 2],
  [`${D}\r\n${D}\r\n${D}--`, 2],
  [`${D}\r\n\r\nx${D}\r\n-\r\n--\r\r\n${D.slice(0, -1)}\r\n${D}--`, 1],
  [`${D}\r\n\r\n\r\n${D}--\r\n${D}\r\n\r\n`, 1],
  [`${D}--\r\n${D}\r\n\r\n\r\n${D}--`, 0],
  ['no delimiter at all, and quite long', 0],
];

/** Where the closing delimiter ends, or the body. */
function endOf(body: string): number {
  const at = `\r\n${body}`.indexOf(`\r\n${D}--`);
  return at === -1 ? Buffer.byteLength(body) : at + D.length + 2;
}

t.test('every delimiter but the closing one begins a part', async (t) => {
  for (const [body, parts] of BODIES) {
    const bytes = Buffer.from(body);
    for (let size = 1; size <= Math.max(1, bytes.length); size += 1) {
      const count = countParts(BOUNDARY);
      let given = 0;
      for (let at = 0; at < bytes.length; at += size) given += count.push(bytes.subarray(at, at + size));
      if (count.parts !== parts) t.equal(count.parts, parts, `${JSON.stringify(body)} in pieces of ${size}`);
      if (given !== endOf(body)) t.equal(given, endOf(body), `${JSON.stringify(body)} in pieces of ${size}`);
    }
    t.pass(JSON.stringify(body));
  }
});
