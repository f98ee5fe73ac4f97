// Reading the spool: in order, in portions, no further than it is written, past what is damaged or gone.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { SpoolEntry } from '../../../shared/log_record.ts';
import { encodeEntry, segmentName } from '../../../shared/spool_format.ts';
import { SpoolReader, type Portion } from '../../../worker/logs/spool_reader.ts';
import { makeFolder } from '../../helpers/folder.ts';
import { nothingIsLeft } from '../../helpers/leftovers.ts';
import { ended, idOf, recordOf, writtenSpool } from './ship_thread.ts';

/** All that may be read, each portion shipped. */
async function readAll(reader: SpoolReader): Promise<readonly Portion[]> {
  const portions: Portion[] = [];
  for (let portion = await reader.next(); portion !== null; portion = await reader.next()) {
    portions.push(portion);
    await reader.shipped(portion);
  }
  return portions;
}

const idsOf = (portions: readonly Portion[]): string[] => portions.flatMap(({ records }) => records.map(({ interaction_id }) => interaction_id));
const damagesOf = (portions: readonly Portion[]): Portion['damaged'][number][] => portions.flatMap(({ damaged }) => damaged);
const ids = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, index) => idOf(from + index));
const entries = (from: number, to: number): SpoolEntry[] => Array.from({ length: to - from }, (_, index) => ended(recordOf(from + index)));

t.test('it reads what was appended, in order, over several segments, and a portion again until it is shipped', async (t) => {
  const spool = await writtenSpool(await makeFolder(t));
  const reader = await SpoolReader.open(spool.directory);
  t.equal(await reader.next(), null, 'nothing before it is told what is written');
  await spool.write(entries(0, 3000));
  const half = spool.end;
  await spool.write(entries(3000, 3100));
  reader.appended(half);
  const first = await reader.next();
  t.strictSame(await reader.next(), first);
  t.strictSame(idsOf(await readAll(reader)), ids(0, 3000));
  spool.rotate();
  await spool.write(entries(3100, 3200));
  spool.rotate();
  await spool.write([{ type: 'open', record: recordOf(7000) }, ...entries(3200, 3300)]);
  reader.appended(spool.end);
  const rest = await readAll(reader);
  t.strictSame(idsOf(rest), ids(3000, 3300));
  t.strictSame(rest.at(-1)?.end, spool.end);
  t.ok([first, ...rest].every((portion) => portion !== null && portion.records.length < 3000), 'in portions');
  await reader.close();

  const next = await SpoolReader.open(spool.directory);
  next.appended(spool.end);
  t.equal(await next.next(), null, 'it is known what was shipped');
  await next.close();
});

t.test('a line that is longer than a portion is read as one', async (t) => {
  const spool = await writtenSpool(await makeFolder(t));
  const long = 'x'.repeat(5_000_000);
  await spool.write([ended(recordOf(1)), ended(recordOf(2, { output_response: long })), ended(recordOf(3))]);
  const reader = await SpoolReader.open(spool.directory);
  reader.appended(spool.end);
  const portions = await readAll(reader);
  t.strictSame(idsOf(portions), ids(1, 4));
  t.ok(portions.flatMap(({ records }) => records).some(({ output_response }) => output_response === long));
  t.strictSame(damagesOf(portions), []);
  await reader.close();
});

t.test('what is damaged is told with its place and length, and costs no other line', async (t) => {
  const spool = await writtenSpool(await makeFolder(t));
  await spool.write(entries(0, 2));
  const first = spool.end;
  await spool.writeBytes(Buffer.from('0badc0de {"type":"end"}\n'));
  await spool.write(entries(2, 3));
  const second = spool.end;
  await spool.writeBytes(encodeEntry(ended(recordOf(99))).subarray(0, 100));
  const tail = spool.end;
  spool.rotate();
  await spool.write(entries(3, 4));
  const reader = await SpoolReader.open(spool.directory);
  reader.appended(tail);
  reader.appended(spool.end);
  const portions = await readAll(reader);
  t.strictSame(idsOf(portions), ids(0, 4));
  t.strictSame(damagesOf(portions), [
    { segment: 1, offset: first.offset, bytes: 24 },
    { segment: 1, offset: second.offset, bytes: 100 },
  ]);
  await reader.close();
});

t.test('a line that is being written is not looked at before it is told of', async (t) => {
  const spool = await writtenSpool(await makeFolder(t));
  await spool.write(entries(0, 1));
  const whole = spool.end;
  const line = encodeEntry(ended(recordOf(1)));
  await spool.writeBytes(line.subarray(0, 50));
  const reader = await SpoolReader.open(spool.directory);
  reader.appended(whole);
  t.strictSame(idsOf(await readAll(reader)), ids(0, 1));
  await spool.writeBytes(line.subarray(50));
  reader.appended(spool.end);
  const portions = await readAll(reader);
  t.strictSame(idsOf(portions), ids(1, 2));
  t.strictSame(damagesOf(portions), []);
  await reader.close();
});

t.test('segments that are gone are passed over, also those that the place is in, and the one that is not begun', async (t) => {
  const spool = await writtenSpool(await makeFolder(t));
  for (let segment = 0; segment < 4; segment += 1) {
    await spool.write(entries(segment, segment + 1));
    spool.rotate();
  }
  rmSync(join(spool.directory, segmentName(1)));
  rmSync(join(spool.directory, segmentName(3)));
  writeFileSync(join(spool.directory, 'shipped.json'), JSON.stringify({ segment: 1, offset: 5 }));
  const reader = await SpoolReader.open(spool.directory);
  reader.appended(spool.end);
  t.strictSame(idsOf(await readAll(reader)), [idOf(1), idOf(3)]);
  await spool.write(entries(4, 5));
  reader.appended(spool.end);
  t.strictSame(idsOf(await readAll(reader)), [idOf(4)]);
  await reader.close();
});

t.test('a place that is lost, damaged or of another spool means all once more', async (t) => {
  const spool = await writtenSpool(await makeFolder(t));
  await spool.write(entries(0, 10));
  for (const text of ['', '{"segment":1', '{"segment":7,"offset":3}', JSON.stringify({ segment: 1, offset: spool.end.offset + 1 })]) {
    writeFileSync(join(spool.directory, 'shipped.json'), text);
    const reader = await SpoolReader.open(spool.directory);
    reader.appended(spool.end);
    t.strictSame(idsOf(await readAll(reader)), ids(0, 10), text);
    t.strictSame(JSON.parse(readFileSync(join(spool.directory, 'shipped.json'), 'utf8')), spool.end);
    await reader.close();
  }
});

nothingIsLeft(t);
