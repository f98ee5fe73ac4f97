// Lines out of a stream of bytes, however it is cut.
import fc from 'fast-check';
import t from 'tap';
import { createLineReader } from '../../../../../worker/chat/engine/mcp/line_reader.ts';

function read(chunks: readonly string[], limit = 1000): readonly string[] {
  const seen: string[] = [];
  const take = createLineReader(limit, (line) => void seen.push(line.toString()), (start) => void seen.push(`too long: ${start.toString()}`));
  for (const chunk of chunks) take(Buffer.from(chunk));
  return seen;
}

t.test('lines come as they are complete; what has no end yet is held', async (t) => {
  t.strictSame(read(['a\nb\n\nc', 'd', '\nrest']), ['a', 'b', '', 'cd']);
});

t.test('a line of the limit is whole; of one with more the first bytes are told, once, and the next is read again', async (t) => {
  t.strictSame(read(['12345\n', '123456\n', 'next\n'], 5), ['12345', 'too long: 12345', 'next']);
  t.strictSame(read(['123', '45', '\n', '123', '456', '789', '0\nnext\n'], 5), ['12345', 'too long: 12345', 'next']);
});

t.test('wherever it is cut, the lines are the same', async () => {
  const lines = fc.array(fc.string({ maxLength: 12 }).map((text) => text.replaceAll('\n', '')), { maxLength: 12 });
  fc.assert(
    fc.property(lines, fc.array(fc.nat(200)), (given, cuts) => {
      const bytes = Buffer.from(given.map((line) => `${line}\n`).join(''));
      const places = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).toSorted((a, b) => a - b), bytes.length];
      const seen: string[] = [];
      const take = createLineReader(1000, (line) => void seen.push(line.toString()), () => void seen.push('too long'));
      for (let at = 1; at < places.length; at += 1) take(bytes.subarray(places[at - 1], places[at]));
      return JSON.stringify(seen) === JSON.stringify(given.map((line) => Buffer.from(line).toString()));
    }),
  );
});
