// Lines of the spool: as they are written they are found again, and nothing else is taken for one.
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import type { LogRecord, SpoolEntry } from '../../shared/log_record.ts';
import { decodeLines, encodeEntry, parsePlace, recordOf, segmentName, segmentNumber } from '../../shared/spool_format.ts';
import { logRecord } from '../supervisor/logs/spool_harness.ts';

const RUNS = { seed: 20_260_103, numRuns: 200 };
const entry = fc
  .record({ type: fc.constantFrom('open' as const, 'end' as const), input: fc.string({ unit: 'binary', maxLength: 300 }), id: fc.uuid() })
  .map(({ type, input, id }): SpoolEntry => ({ type, record: logRecord({ interaction_id: id, input_message: input }) }));
const entries = fc.array(entry, { minLength: 1, maxLength: 8 });

const decoded = (buffer: Buffer): SpoolEntry[] => decodeLines(buffer).lines.map((line) => ({ type: line.type, record: recordOf(line) }));

t.test('a line is the checksum of the JSON, the JSON, a newline', async (t) => {
  const line = encodeEntry({ type: 'end', record: logRecord({ interaction_id: 'a', input_message: 'é\n\uD800' }) });
  const [, checksum = '', json = ''] = /^([0-9a-f]{8}) (\{.*\})\n$/.exec(line.toString()) ?? [];
  t.equal(Number.parseInt(checksum, 16), crc32(json));
  t.ok(json.startsWith('{"type":"end","record":{"interaction_id":"a","timestamp":'), 'what it is about stands in front');
  t.match(JSON.parse(json), { type: 'end', record: { input_message: 'é\n\uD800' } });
});

t.test('what it is about stands in front, in whatever order the record has its members', async (t) => {
  const { interaction_id, ...others } = logRecord();
  const record: LogRecord = { ...others, interaction_id };
  t.match(decodeLines(encodeEntry({ type: 'open', record })).lines, [{ type: 'open', interactionId: interaction_id }]);
});

t.test('entries come back as they were, with their places', async (t) => {
  fc.assert(
    fc.property(entries, (given) => {
      const buffers = given.map(encodeEntry);
      const buffer = Buffer.concat(buffers);
      const { lines, damaged, end } = decodeLines(buffer, 1000);
      t.strictSame(decoded(buffer), given);
      t.strictSame(lines.map(({ offset, bytes }) => buffer.subarray(offset - 1000, offset - 1000 + bytes)), buffers);
      t.strictSame([damaged, end], [[], 1000 + buffer.length]);
    }),
    RUNS,
  );
});

t.test('cut at any byte, exactly the whole lines are left', async (t) => {
  fc.assert(
    fc.property(entries, fc.nat(), (given, anywhere) => {
      const buffers = given.map(encodeEntry);
      const whole = Buffer.concat(buffers);
      const cut = whole.subarray(0, anywhere % (whole.length + 1));
      const ends = buffers.map((_, i) => buffers.slice(0, i + 1).reduce((sum, { length }) => sum + length, 0));
      const count = ends.filter((end) => end <= cut.length).length;
      t.strictSame(decoded(cut), given.slice(0, count));
      t.strictSame(decodeLines(cut), { ...decodeLines(cut), damaged: [], end: ends[count - 1] ?? 0 });
    }),
    RUNS,
  );
});

t.test('whatever bytes are changed, no line is read that was not written, and those after the damage are', async (t) => {
  fc.assert(
    fc.property(entries, entry, fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 40 }), (given, last, anywhere, noise) => {
      const buffer = Buffer.concat(given.map(encodeEntry));
      buffer.set(noise.subarray(0, buffer.length), anywhere % Math.max(1, buffer.length - noise.length));
      // What the noise has swallowed of the newlines does not reach beyond this one.
      const found = decoded(Buffer.concat([buffer, Buffer.from('\n'), encodeEntry(last)]));
      const known = given.map((each) => JSON.stringify(each));
      t.ok(found.slice(0, -1).every((each) => known.includes(JSON.stringify(each))));
      t.strictSame(found.at(-1), last);
    }),
    RUNS,
  );
});

t.test('every byte of a buffer is a line, damaged, or after its end', async (t) => {
  fc.assert(
    fc.property(entries, fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 8 }), (given, noises) => {
      const buffer = Buffer.concat(given.flatMap((each, i) => [encodeEntry(each), noises[i] ?? Buffer.alloc(0)]));
      const { lines, damaged, end } = decodeLines(buffer);
      const ranges = [...lines, ...damaged].toSorted((a, b) => a.offset - b.offset);
      let at = 0;
      for (const { offset, bytes } of ranges) {
        t.equal(offset, at);
        at += bytes;
      }
      t.equal(at, end);
      t.equal(buffer.subarray(end).indexOf('\n'), -1);
    }),
    RUNS,
  );
});

t.test('damaged lines beside each other are told as one', async (t) => {
  const good = encodeEntry({ type: 'open', record: logRecord() });
  const bad = Buffer.from('\n\n0 x\n');
  const { lines, damaged, end } = decodeLines(Buffer.concat([bad, bad, good, bad, Buffer.from('half')]));
  t.equal(lines.length, 1);
  t.strictSame(damaged, [{ offset: 0, bytes: 12 }, { offset: 12 + good.length, bytes: 6 }]);
  t.equal(end, 18 + good.length);
});

t.test('a right checksum alone makes no line', async (t) => {
  const lineOf = (json: string) => `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`;
  for (const json of ['', '{}', 'null', '{"type":"end","record":{}}', '{"type":"start","record":{"interaction_id":"a"}}']) {
    const { lines, damaged } = decodeLines(Buffer.from(lineOf(json)));
    t.strictSame([lines, damaged.length], [[], 1], json);
  }
});

t.test('segments are named by their numbers', async (t) => {
  t.equal(segmentName(1), '00000001.log');
  t.equal(segmentNumber('00012345.log'), 12_345);
  for (const name of ['1.log', '00000001.log~', 'x00000001.log', 'shipped.json']) t.equal(segmentNumber(name), null, name);
});

t.test('a place that is none is none', async (t) => {
  t.strictSame(parsePlace('{"segment":3,"offset":17,"more":1}'), { segment: 3, offset: 17 });
  for (const text of ['', 'null', '7', '{"segment":1}', '{"segment":-1,"offset":0}', '{"segment":1,"offset":1.5}', '{"segment":"1","offset":0}']) {
    t.equal(parsePlace(text), null, text);
  }
});
