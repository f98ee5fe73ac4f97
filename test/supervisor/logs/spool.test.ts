// The spool while a server lives: what is appended is there when that is said, in segments that go when they are needed no more.
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readFile, rm, rmdir, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { decodeLines, type SpoolPlace } from '../../../shared/spool_format.ts';
import { openSpool } from '../../../supervisor/logs/spool.ts';
import { makeFolder } from '../../helpers/folder.ts';
import { nothingIsLeft } from '../../helpers/leftovers.ts';
import { waitFor } from '../../helpers/wait_for.ts';
import { logRecord, MIB, readSpool, segmentFile, segmentNames, startSpool, type SpoolHarness } from './spool_harness.ts';

const open = ({ spool }: SpoolHarness, id: string) => spool.append({ type: 'open', record: logRecord({ interaction_id: id }) });
const end = ({ spool }: SpoolHarness, id: string, text = '') => spool.append({ type: 'end', record: logRecord({ interaction_id: id, output_response: text }) });

t.test('what is appended is in the file when its promise resolves', async (t) => {
  const harness = await startSpool(t);
  t.strictSame(await segmentNames(harness.directory), [], 'nothing is made before there is something to write');
  t.equal(await open(harness, 'a'), 'kept');
  t.strictSame((await readSpool(harness.directory)).words, ['open a']);
  t.equal(await end(harness, 'a'), 'kept');
  t.strictSame((await readSpool(harness.directory)).words, ['open a', 'end a']);
  t.equal(harness.spool.bytes, (await stat(segmentFile(harness.directory, 1))).size);
});

t.test('its files are for this user alone', async (t) => {
  const harness = await startSpool(t);
  await open(harness, 'a');
  t.equal((await stat(harness.directory)).mode & 0o777, 0o700);
  t.equal((await stat(segmentFile(harness.directory, 1))).mode & 0o777, 0o600);
});

t.test('entries of one turn are written together, in their order', async (t) => {
  const harness = await startSpool(t);
  const places: SpoolPlace[] = [];
  harness.spool.onAppended((place) => places.push(place));
  const ids = Array.from({ length: 100 }, (_, i) => `id-${i}`);
  await Promise.all(ids.map((id) => open(harness, id)));
  t.strictSame((await readSpool(harness.directory)).words, ids.map((id) => `open ${id}`));
  const { size } = await stat(segmentFile(harness.directory, 1));
  t.strictSame(places, [{ segment: 1, offset: 0 }, { segment: 1, offset: size }]);
});

t.test('the place that is told never goes back, nor beyond what is written', async (t) => {
  const harness = await startSpool(t, { limits: { segmentBytes: 5000 } });
  const told: SpoolPlace[] = [];
  harness.spool.onAppended((place) => told.push(place));
  for (let round = 0; round < 20; round += 1) {
    await Promise.all(Array.from({ length: 10 }, (_, i) => end(harness, `${round}-${i}`)));
    const { segment, offset } = told.at(-1) as SpoolPlace;
    t.equal((await stat(segmentFile(harness.directory, segment))).size, offset);
  }
  t.strictSame(told, told.toSorted((a, b) => a.segment - b.segment || a.offset - b.offset));
  t.equal((await readSpool(harness.directory)).words.length, 200);
});

t.test('whoever asks to be told later is told at once where things are', async (t) => {
  const harness = await startSpool(t);
  await open(harness, 'a');
  let told: SpoolPlace | undefined;
  harness.spool.onAppended((place) => (told = place));
  t.strictSame(told, { segment: 1, offset: harness.spool.bytes });
});

t.test('a segment that is full is followed by another; it is longer than its size by one line at most', async (t) => {
  const segmentBytes = 10_000;
  const harness = await startSpool(t, { limits: { segmentBytes } });
  await Promise.all(Array.from({ length: 100 }, (_, i) => end(harness, `id-${i}`, 'x'.repeat(i * 10))));
  await end(harness, 'long', 'x'.repeat(3 * segmentBytes));
  await end(harness, 'last');
  const names = await segmentNames(harness.directory);
  t.ok(names.length > 5);
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(harness.directory, name))).size));
  t.ok(sizes.slice(0, -1).every((size) => size >= segmentBytes));
  t.equal(sizes.filter((size) => size > segmentBytes + 1500).length, 1, 'the one with the long line');
  const { words, damaged } = await readSpool(harness.directory);
  t.equal(words.length, 102);
  t.strictSame(damaged, []);
  t.equal(harness.spool.bytes, sizes.reduce((sum, size) => sum + size, 0));
});

t.test('a segment goes when all of it is shipped and all that was opened in it has ended', async (t) => {
  const harness = await startSpool(t, { limits: { segmentBytes: 1 } });
  const { directory, spool } = harness;
  for (const id of ['a', 'b']) await open(harness, id);
  for (const id of ['b', 'c']) await end(harness, id);
  t.equal(spool.spooled, 2);
  t.equal((await segmentNames(directory)).length, 4, 'a segment for each');
  const { size } = await stat(segmentFile(directory, 3));
  spool.shipped({ segment: 3, offset: size - 1 }, 0);
  await waitFor('the second to be gone', async () => (await segmentNames(directory)).length === 3);
  t.strictSame(await segmentNames(directory), ['00000001.log', '00000003.log', '00000004.log'], 'a is open, the third not shipped');
  spool.shipped({ segment: 3, offset: size }, 1);
  await waitFor('the third to be gone', async () => (await segmentNames(directory)).length === 2);
  t.equal(spool.spooled, 1);
  await end(harness, 'a');
  spool.shipped({ segment: 4, offset: 0 }, 0);
  await waitFor('the first to be gone', async () => (await segmentNames(directory)).length === 2);
  t.strictSame(await segmentNames(directory), ['00000004.log', '00000005.log']);
});

t.test('a segment that nobody adds to and nobody needs goes after a while', async (t) => {
  const harness = await startSpool(t, { limits: { idleMs: 50 } });
  const { directory, spool } = harness;
  await open(harness, 'a');
  await end(harness, 'a');
  spool.shipped({ segment: 1, offset: spool.bytes }, 1);
  await waitFor('it to be gone', async () => (await segmentNames(directory)).length === 0);
  t.equal(spool.bytes, 0);
  await open(harness, 'b');
  t.strictSame(await segmentNames(directory), ['00000002.log'], 'numbers are used once');
});

t.test('at its close what waits is written, and a segment that nobody needs goes', async (t) => {
  const harness = await startSpool(t);
  const { directory, spool } = harness;
  const kept = [open(harness, 'a'), end(harness, 'a')];
  await spool.close();
  t.equal(spool.spooled, 1, 'nothing goes on behind it');
  t.strictSame(await Promise.all(kept), ['kept', 'kept']);
  t.strictSame((await readSpool(directory)).words, ['open a', 'end a']);
  t.equal(await end(harness, 'b'), 'lost');
  await spool.close();

  const next = await startSpool(t, { directory });
  await next.spool.recovered;
  await end(next, 'c');
  next.spool.shipped({ segment: 2, offset: next.spool.bytes }, 2);
  await next.spool.close();
  t.strictSame(await segmentNames(directory), []);
});

t.test('a segment that cannot be deleted is told of once, and counts', async (t) => {
  const harness = await startSpool(t, { limits: { segmentBytes: 1 } });
  const { directory, spool, logged } = harness;
  await end(harness, 'a');
  await unlink(segmentFile(directory, 1));
  await mkdir(segmentFile(directory, 1));
  await end(harness, 'b');
  const { bytes } = spool;
  for (let i = 0; i < 3; i += 1) spool.shipped({ segment: 1, offset: bytes }, 0);
  await waitFor('the line', () => logged.some((line) => /could not be deleted/.test(line)));
  t.equal(spool.bytes, bytes);
  await rmdir(segmentFile(directory, 1));
  spool.shipped({ segment: 1, offset: bytes }, 0);
  await waitFor('its bytes to be free', () => spool.bytes < bytes);
  t.equal(logged.length, 1);
});

t.test('closed at once, it has written what waited when that returns, whatever is being written, and takes no more', async (t) => {
  const harness = await startSpool(t);
  await open(harness, 'a');
  const being = [open(harness, 'b'), end(harness, 'b')];
  // The writing has begun.
  await new Promise((resolve) => setImmediate(resolve));
  const waiting = end(harness, 'a', 'x'.repeat(MIB));
  harness.spool.closeNow();
  t.ok(existsSync(segmentFile(harness.directory, 2)), 'in a segment of its own');
  t.strictSame(decodeLines(readFileSync(segmentFile(harness.directory, 2))).lines.map(({ type, interactionId }) => `${type} ${interactionId}`), [
    'open b', 'end b', 'end a',
  ]);
  t.equal(await end(harness, 'c'), 'lost');
  await Promise.all([...being, waiting]);
});

t.test('a directory that was cleaned away is made again', async (t) => {
  const harness = await startSpool(t, { limits: { segmentBytes: 1 } });
  await open(harness, 'a');
  await rm(harness.directory, { recursive: true });
  t.equal(await end(harness, 'a'), 'kept');
  t.strictSame((await readSpool(harness.directory)).words, ['end a']);
});

t.test('a file that stands in the way is left alone', async (t) => {
  const harness = await startSpool(t);
  await writeFile(segmentFile(harness.directory, 1), 'of somebody else');
  t.equal(await open(harness, 'a'), 'kept');
  t.equal(await readFile(segmentFile(harness.directory, 1), 'utf8'), 'of somebody else');
  t.match((await readSpool(harness.directory)).words, ['open a']);
});

t.test('a directory that cannot be one keeps the server from starting', async (t) => {
  const folder = await makeFolder(t, { spool: 'a file' });
  await t.rejects(openSpool({ directory: join(folder, 'spool'), maxBytes: MIB, log: null as never }), {
    name: 'StartError',
    exitCode: 1,
    message: /^the directory for the log's spool .*spool cannot be used: E[A-Z]+$/,
  });
});

nothingIsLeft(t);
