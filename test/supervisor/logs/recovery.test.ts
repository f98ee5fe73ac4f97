// What a server finds in the spool of one that was killed: what had not ended is interrupted, and what is damaged harms nothing beside it.
import { appendFile, mkdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import type { LogRecord } from '../../../shared/log_record.ts';
import { encodeEntry, type SpoolPlace } from '../../../shared/spool_format.ts';
import { recover } from '../../../supervisor/logs/recovery.ts';
import { Segments } from '../../../supervisor/logs/segments.ts';
import { makeFolder } from '../../helpers/folder.ts';
import { nothingIsLeft } from '../../helpers/leftovers.ts';
import { waitFor } from '../../helpers/wait_for.ts';
import { logRecord, MIB, readSpool, segmentFile, segmentNames, startSpool } from './spool_harness.ts';

const line = (type: 'open' | 'end', id: string, fields: Partial<LogRecord> = {}): Buffer =>
  encodeEntry({ type, record: logRecord({ interaction_id: id, ...(type === 'end' ? { status: 'success' } : {}), ...fields }) });

/** A directory as a killed server leaves it. @param segments their lines, from number 1 on */
async function leftSpool(t: Test, segments: readonly (readonly Buffer[])[], shipped?: SpoolPlace): Promise<string> {
  const directory = join(await makeFolder(t), 'spool');
  await mkdir(directory);
  for (const [i, lines] of segments.entries()) await writeFile(segmentFile(directory, i + 1), Buffer.concat(lines));
  if (shipped !== undefined) await writeFile(join(directory, 'shipped.json'), JSON.stringify(shipped));
  return directory;
}

t.test('what was open gets an end that says interrupted, once', async (t) => {
  const left = { input_message: 'what was asked', request_headers: { accept: 'x' } };
  const directory = await leftSpool(t, [[line('open', 'a', left), line('open', 'b'), line('end', 'b')], [line('open', 'c')]]);
  const first = await startSpool(t, { directory });
  await first.spool.recovered;
  t.strictSame((await readSpool(directory)).words, ['open a', 'open b', 'end b', 'open c', 'end a', 'end c']);
  const { records } = await readSpool(directory);
  t.strictSame(records[4], logRecord({ ...left, interaction_id: 'a', status: 'interrupted' }));
  t.equal(first.spool.spooled, 3);
  t.equal(first.logged.filter((text) => /2,.*interrupted/.test(text)).length, 1);
  await first.spool.close();

  const second = await startSpool(t, { directory });
  await second.spool.recovered;
  t.equal((await readSpool(directory)).words.length, 6, 'the next start finds nothing open');
  t.equal(second.spool.spooled, 3);
});

t.test('what is shipped already is not counted, and its segments go', async (t) => {
  const segments = [[line('open', 'a'), line('end', 'a')], [line('open', 'b'), line('end', 'b'), line('end', 'c')], [line('end', 'd')]];
  const offset = (segments[1] as Buffer[]).slice(0, 2).reduce((sum, { length }) => sum + length, 0);
  const directory = await leftSpool(t, segments, { segment: 2, offset });
  const { spool } = await startSpool(t, { directory });
  await spool.recovered;
  await waitFor('the first to be gone', async () => (await segmentNames(directory)).length === 2);
  t.equal(spool.spooled, 2);
  const sizes = await Promise.all([2, 3].map(async (number) => (await stat(segmentFile(directory, number))).size));
  await waitFor('their bytes alone to be counted', () => spool.bytes === (sizes[0] ?? 0) + (sizes[1] ?? 0));
  spool.shipped({ segment: 3, offset: (await stat(segmentFile(directory, 3))).size }, 2);
  await waitFor('all to be gone', async () => (await segmentNames(directory)).length === 0);
  t.equal(spool.spooled, 0);
});

t.test('numbers go on where they were, segments that are gone included', async (t) => {
  for (const [segments, shipped, expected] of [[[], undefined, 1], [[], { segment: 7, offset: 5 }, 8], [[[], []], { segment: 1, offset: 0 }, 3]] as const) {
    const { spool } = await startSpool(t, { directory: await leftSpool(t, segments, shipped) });
    let place: SpoolPlace | undefined;
    spool.onAppended((told) => (place = told));
    t.strictSame(place, { segment: expected, offset: 0 }, 'everything that is left may be read at once');
  }
});

t.test('a place of the shipping that is damaged means that everything is shipped once more', async (t) => {
  const directory = await leftSpool(t, [[line('end', 'a')]]);
  await writeFile(join(directory, 'shipped.json'), '{"segment":1,"off');
  const { spool } = await startSpool(t, { directory });
  await spool.recovered;
  t.equal(spool.spooled, 1);
});

t.test('a server appends and ships while the segments before it are read', async (t) => {
  const lines = Array.from({ length: 40 }, (_, i) => line('end', `left-${i}`, { output_response: 'x'.repeat(MIB / 2) }));
  const directory = await leftSpool(t, [[line('open', 'old'), ...lines.slice(0, 20)], lines.slice(20)]);
  const { spool } = await startSpool(t, { directory });
  let isRecovered = false;
  void spool.recovered.then(() => (isRecovered = true));
  t.equal(await spool.append({ type: 'open', record: logRecord({ interaction_id: 'new' }) }), 'kept');
  t.notOk(isRecovered, 'nobody has waited');
  spool.shipped({ segment: 2, offset: (await stat(segmentFile(directory, 2))).size }, 40);
  t.equal((await segmentNames(directory)).length, 3, 'what has not been looked through stays');
  await spool.recovered;
  await waitFor('the second to be gone', async () => (await segmentNames(directory)).length === 2);
  t.equal(spool.spooled, 1);
  spool.shipped({ segment: 3, offset: (await stat(segmentFile(directory, 3))).size }, 1);
  await waitFor('the first to be gone', async () => (await segmentNames(directory)).length === 1);
  t.strictSame((await readSpool(directory)).words, ['open new', 'end old']);
  t.equal(spool.spooled, 0);
});

t.test('an interaction with the id of one that was left open takes its place: the two are not mixed up', async (t) => {
  const left = { input_message: 'of the earlier one' };
  const directory = await leftSpool(t, [[line('open', 'a', left), line('open', 'b', left), line('open', 'c', left)]]);
  const { spool } = await startSpool(t, { directory });
  const record = (id: string) => logRecord({ interaction_id: id, input_message: 'of the new one' });
  await Promise.all([spool.append({ type: 'open', record: record('a') }), spool.append({ type: 'end', record: record('b') }), spool.recovered]);
  t.strictSame((await readSpool(directory)).words.slice(3), ['open a', 'end b', 'end c'], 'the new ones are as they were appended');
  await spool.close();

  const next = await startSpool(t, { directory });
  await next.spool.recovered;
  t.match((await readSpool(directory)).records.slice(6), [{ interaction_id: 'a', input_message: 'of the new one', status: 'interrupted' }]);
});

t.test('the same where its id is taken when all is read already', async (t) => {
  const directory = await leftSpool(t, [['a', 'b', 'c', 'd'].map((id) => line('open', id))]);
  const bytes = line('open', 'a').length;
  const asked: string[] = [];
  const recovery = recover({
    directory,
    segments: [1],
    shipped: { segment: 0, offset: 0 },
    log: pino({ level: 'silent' }),
    signal: new AbortController().signal,
    found: () => recovery.taken('a'),
    scanned: (left) => t.strictSame([...left], ['b', 'c', 'd'].map((id, i) => [id, { segment: 1, offset: bytes * (i + 1), bytes }])),
    interrupted: async ({ interaction_id }, isWanted) => {
      asked.push(`${interaction_id} ${isWanted()}`);
      if (interaction_id !== 'b') return;
      for (const id of ['b', 'c']) recovery.taken(id);
      asked.push(`${interaction_id} ${isWanted()}`);
    },
  });
  await recovery.done;
  t.strictSame(asked, ['b true', 'b false', 'd true']);
});

t.test('a spool that is full of an earlier server\'s segments gets free again, whatever was open in them', async (t) => {
  const ends = (i: number) => line('end', `id-${i}`, { output_response: 'x'.repeat(3000) });
  const directory = await leftSpool(t, [[line('open', 'a'), ends(1)], [ends(2)], [ends(3), line('open', 'b')]]);
  const { spool } = await startSpool(t, { directory, maxBytes: 1000, limits: { segmentBytes: 10_000 } });
  t.ok(spool.isDegraded);
  t.equal(await spool.append({ type: 'end', record: logRecord({ interaction_id: 'c' }) }), 'lost');
  await spool.recovered;
  t.strictSame((await readSpool(directory)).words.slice(5), ['end a', 'end b'], 'what was interrupted has a place');
  spool.shipped({ segment: 4, offset: 0 }, 3);
  await waitFor('the segments to be gone', async () => (await segmentNames(directory)).length === 1);
  t.strictSame([spool.spooled, spool.lost], [2, 1]);
});

t.test('segments go before what was interrupted is written, but for those that hold it', async (t) => {
  const opened = line('open', 'a');
  const directory = await leftSpool(t, [[line('end', 'b')], [opened], [line('end', 'c')]], { segment: 4, offset: 0 });
  const scanned = Promise.withResolvers<ReadonlyMap<string, SpoolPlace>>();
  const log = pino({ level: 'silent' });
  const segments = new Segments(directory, [1, 2, 3].map((number) => ({ number, size: 1 })), 4, { segment: 4, offset: 0 }, log);
  const signal = new AbortController().signal;
  const { done } = recover({
    ...{ directory, segments: [1, 2, 3], shipped: { segment: 4, offset: 0 }, log, signal },
    found: () => undefined,
    scanned: scanned.resolve,
    interrupted: async ({ interaction_id }) => {
      await segments.trim();
      t.strictSame(await segmentNames(directory), ['00000002.log']);
      segments.ended(interaction_id);
      await segments.trim();
      t.strictSame(await segmentNames(directory), []);
    },
  });
  await segments.trim();
  t.equal((await segmentNames(directory)).length, 3, 'until they are looked through all are kept');
  for (const [id, { segment }] of await scanned.promise) segments.opened(id, segment);
  segments.scanned();
  await done;
});

t.test('damage is told with its place and harms nothing beside it', async (t) => {
  const [a, b, c] = [line('open', 'a'), line('open', 'b'), line('end', 'b')];
  const directory = await leftSpool(t, [[a, Buffer.from('what is this?\n'), b, c], [line('open', 'd').subarray(0, -20)]]);
  const { spool, logged } = await startSpool(t, { directory });
  await spool.recovered;
  const told = logged.map((text) => JSON.parse(text) as Record<string, unknown>).filter(({ msg }) => /damaged/.test(String(msg)));
  t.match(told, [{ segment: 1, offset: a.length, bytes: 14 }, { segment: 2, offset: 0, bytes: line('open', 'd').length - 20 }]);
  t.strictSame((await readSpool(directory)).words.slice(3), ['end a']);
});

t.test('a segment that cannot be read is told of, and the others are read', async (t) => {
  const directory = await leftSpool(t, [[line('open', 'a')], [line('open', 'b')]]);
  await mkdir(segmentFile(directory, 3));
  const { spool, logged } = await startSpool(t, { directory });
  await spool.recovered;
  t.strictSame(logged.filter((text) => /could not be read/.test(text)).length, 1);
  t.match(logged.join(), /"code":"EISDIR","segment":3/);
});

t.test('cut at any byte, a spool is recovered to exactly its whole lines', async (t) => {
  const lines = [line('open', 'a'), line('open', 'b'), line('end', 'a'), line('open', 'c'), line('end', 'c'), line('end', 'b')];
  const whole = Buffer.concat(lines);
  const ends = lines.map((_, i) => lines.slice(0, i + 1).reduce((sum, { length }) => sum + length, 0));
  const cuts = new Set([0, whole.length, ...ends.flatMap((end) => [end - 1, end]), ...fc.sample(fc.nat(whole.length), { seed: 20_260_104, numRuns: 40 })]);
  for (const cut of cuts) {
    const directory = await leftSpool(t, [[whole]]);
    await truncate(segmentFile(directory, 1), cut);
    const { spool } = await startSpool(t, { directory });
    await spool.recovered;
    await spool.close();
    const found = lines.slice(0, ends.filter((end) => end <= cut).length).length;
    const before = ['open a', 'open b', 'end a', 'open c', 'end c', 'end b'].slice(0, found);
    const open = before.filter((word) => word.startsWith('open') && !before.includes(word.replace('open', 'end')));
    const { words, damaged } = await readSpool(directory);
    t.strictSame(words, [...before, ...open.map((word) => word.replace('open', 'end'))], `cut at ${cut}`);
    t.equal(damaged.length, ends.includes(cut) || cut === 0 ? 0 : 1);
  }
});

t.test('lines of any length are read, in portions', async (t) => {
  const texts = [0, 100, 256 * 1024 - 300, 256 * 1024, 3 * MIB, 17 * MIB];
  const lines = texts.flatMap((length, i) => [line('open', `id-${i}`, { input_message: 'é'.repeat(length / 2) }), line('end', `id-${i}`)]);
  const directory = await leftSpool(t, [[...lines, line('open', 'last', { input_message: 'x'.repeat(5 * MIB) })]]);
  const { spool } = await startSpool(t, { directory });
  await spool.recovered;
  t.equal(spool.spooled, texts.length + 1);
  t.equal((await readSpool(directory)).records.at(-1)?.input_message?.length, 5 * MIB);
});

t.test('a close in the middle of it leaves the rest to the next server', async (t) => {
  const directory = await leftSpool(t, [Array.from({ length: 200 }, (_, i) => line('open', `id-${i}`))]);
  const first = await startSpool(t, { directory });
  await first.spool.close();
  const { spool } = await startSpool(t, { directory });
  await spool.recovered;
  const { words } = await readSpool(directory);
  t.strictSame(new Set(words.filter((word) => word.startsWith('end'))).size, 200);
  t.equal(words.length, 400);
});

t.test('a close while the segments are read says nothing of what is in them', async (t) => {
  const directory = await leftSpool(t, [[line('open', 'a')], [line('end', 'a')]]);
  const closing = new AbortController();
  const unexpected = async (): Promise<void> => void t.fail('nothing is known');
  const { done } = recover({
    ...{ directory, segments: [1, 2], shipped: { segment: 3, offset: 0 }, log: pino({ level: 'silent' }), signal: closing.signal },
    found: () => closing.abort(),
    scanned: unexpected,
    interrupted: unexpected,
  });
  await done;
  t.ok(closing.signal.aborted);
});

t.test('a file beside the segments is nobody\'s business', async (t) => {
  const directory = await leftSpool(t, [[line('end', 'a')]]);
  await appendFile(join(directory, 'notes.txt'), 'x');
  const { spool } = await startSpool(t, { directory });
  await spool.recovered;
  t.equal(await readFile(join(directory, 'notes.txt'), 'utf8'), 'x');
  t.equal(spool.spooled, 1);
});

nothingIsLeft(t);
