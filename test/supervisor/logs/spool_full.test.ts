// A spool that has no more room, on the disk or of its own: it says so, loses nothing that it said it kept, and goes on when there is room again.
import { spawnSync } from 'node:child_process';
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { makeFolder } from '../../helpers/folder.ts';
import { nothingIsLeft } from '../../helpers/leftovers.ts';
import { PROJECT, spawnProcess } from '../../helpers/process.ts';
import { waitFor } from '../../helpers/wait_for.ts';
import type { FullDiskReport } from './full_disk_process.ts';
import { logRecord, MIB, readSpool, segmentFile, segmentNames, startSpool } from './spool_harness.ts';

const SCRIPT = join(PROJECT, 'test/supervisor/logs/full_disk_process.ts');

/** @param script of a shell, in which "$@" appends to the spool @returns what that was told */
async function appendIn(t: Test, script: string, folder: string): Promise<FullDiskReport> {
  const { process: child, output, exited } = spawnProcess('sh', ['-c', script, folder, process.execPath, SCRIPT, folder]);
  t.teardown(() => child.kill('SIGKILL'));
  t.strictSame(await exited, { code: 0, signal: null }, output.stderr);
  return JSON.parse(output.stdout) as FullDiskReport;
}

function checkReport(t: Test, { kept, lost, counted, found }: FullDiskReport): void {
  t.strictSame(found.words, [...kept.before, ...kept.after].map((id) => `end ${id}`), 'what was said to be kept is there, in order, and nothing else');
  t.strictSame(found.damaged, []);
  t.equal(counted, lost);
  t.equal(kept.before.length + kept.after.length + lost, 861);
}

t.test('when it is full, interactions are opened no more, and every one that is can end in it, if need be without its texts', async (t) => {
  const { spool, directory, logged } = await startSpool(t, { maxBytes: 100_000, limits: { segmentBytes: 10_000 } });
  const record = (id: string) => logRecord({ interaction_id: id, input_message: 'x'.repeat(500) });
  const append = (type: 'open' | 'end', id: string) => spool.append({ type, record: record(id) });
  let opened = 0;
  while ((await append('open', `id-${opened}`)) === 'kept') opened += 1;
  t.equal(spool.lost, 0, 'what is not opened is not lost yet');
  t.ok(spool.isDegraded, 'but would be if the server ended');
  const ends = Array.from({ length: opened }, (_, i) => logRecord({
    interaction_id: `id-${i}`,
    input_message: 'x'.repeat(10_000),
    status: 'success',
    model_info: { model_id: 'm'.repeat(100), provider: 'openai' },
    token_usage: { input_tokens: 12_345_678, output_tokens: 12_345_678, total_tokens: 24_691_356 },
    response_time_ms: 1234.5678901234,
  }));
  const kept = await Promise.all(ends.map((record) => spool.append({ type: 'end', record })));
  t.ok(opened >= 20 && kept.every((each) => each === 'kept'), `${opened} ends`);
  t.equal(spool.lost, 0);
  t.ok(spool.bytes <= 100_000, `${spool.bytes} bytes`);
  const records = (await readSpool(directory)).records.slice(opened);
  const bare = records.filter(({ input_message: message }) => message === null);
  t.ok(bare.length > opened / 2);
  t.strictSame(new Set(bare.map(({ status, response_time_ms: ms, error_message: message }) => `${status} ${ms} ${message}`)), new Set([
    'success 1234.5678901234 The texts of this interaction are not kept: the spool of the log had no room for them.',
  ]));
  while ((await append('end', 'more')) === 'kept');
  t.equal(spool.lost, 1, 'what was not opened is lost when there is no room for its figures');
  await append('end', 'more');
  t.equal(spool.lost, 2);
  await append('open', 'short');
  t.strictSame(logged.filter((line) => line.includes('takes no more')).length, 1, 'a line for all of them');
  t.match(logged[0], /"reason":"it is full"/);
});

t.test('when what is shipped is deleted it takes records again', async (t) => {
  const { spool, directory, logged } = await startSpool(t, { maxBytes: 10_000, limits: { segmentBytes: 2000 } });
  const append = () => spool.append({ type: 'end', record: logRecord() });
  while ((await append()) === 'kept');
  spool.shipped({ segment: 4, offset: 0 }, 6);
  await waitFor('room', async () => (await segmentNames(directory)).length <= 2 && !spool.isDegraded);
  t.equal(await append(), 'kept');
  t.match(logged.at(-1), /takes records again/);
  t.equal(spool.bytes, (await Promise.all((await segmentNames(directory)).map((name) => stat(join(directory, name))))).reduce((sum, { size }) => sum + size, 0));
});

t.test('what waits for the disk is bounded, and counts as taken room', async (t) => {
  const { spool, directory, logged } = await startSpool(t, { limits: { waitingBytes: 20_000 } });
  const kept = Array.from({ length: 100 }, (_, i) => spool.append({ type: 'end', record: logRecord({ interaction_id: `id-${i}`, input_message: 'x'.repeat(1000) }) }));
  t.ok(spool.bytes > 18_000 && spool.bytes <= 20_000);
  t.ok(spool.isDegraded);
  const told = await Promise.all(kept);
  const count = told.indexOf('lost');
  t.ok(count >= 10 && count <= 20);
  t.strictSame((await readSpool(directory)).words, Array.from({ length: count }, (_, i) => `end id-${i}`));
  t.equal(spool.lost, 100 - count);
  t.match(logged.join(), /the disk is too slow/);
  t.notOk(spool.isDegraded);
  const long = logRecord({ interaction_id: 'long', output_response: 'x'.repeat(50_000) });
  t.equal(await spool.append({ type: 'end', record: long }), 'kept', 'one line may always wait');
});

t.test('a line that no reader would take is written without its texts', async (t) => {
  const { spool, directory, logged } = await startSpool(t, { maxBytes: 2 ** 40 });
  // A control character takes six bytes of JSON.
  const long = '\u0001'.repeat(6 * MIB);
  t.equal(await spool.append({ type: 'end', record: logRecord({ input_message: long, output_response: long }) }), 'kept');
  t.match(logged.join(), /it is too long/);
  t.equal(await spool.append({ type: 'end', record: logRecord({ input_message: long, output_response: 'x'.repeat(8 * MIB) }) }), 'kept');
  const { records } = await readSpool(directory);
  t.strictSame(records.map(({ output_response: text }) => text?.length ?? null), [null, 8 * MIB]);
});

t.test('what cannot be written is lost, told without a path, and no reason to give up', async (t) => {
  const { spool, directory, logged } = await startSpool(t, { limits: { segmentBytes: 1 } });
  const append = (id: string) => spool.append({ type: 'end', record: logRecord({ interaction_id: id }) });
  await append('a');
  // In the place of the directory there is a file: as root, nothing else is refused.
  await rename(directory, `${directory}-moved`);
  await writeFile(directory, '');
  t.strictSame(await Promise.all([append('b'), append('c')]), ['lost', 'lost']);
  t.strictSame([spool.lost, spool.isDegraded], [2, true]);
  t.match(logged.join(), /"reason":"(EEXIST|ENOTDIR)"/);
  t.notMatch(logged.join(), directory);
  await rm(directory);
  await rename(`${directory}-moved`, directory);
  t.equal(await append('d'), 'kept');
  t.notOk(spool.isDegraded);
  t.strictSame((await readSpool(directory)).words, ['end a', 'end d']);
});

t.test('a write that ends half-way leaves whole lines only, and what follows comes into another segment', async (t) => {
  const folder = await makeFolder(t);
  // A file may have 100 blocks of 512 bytes; without the signal that would end the process.
  const report = await appendIn(t, 'trap "" XFSZ; ulimit -f 100; exec "$@"', folder);
  checkReport(t, report);
  t.ok(report.lost > 0 && report.kept.before.length > 500, `${report.lost} of 861 are lost`);
  t.match(report.logged.join(), /"reason":"EFBIG"/);
  const names = await segmentNames(join(folder, 'spool'));
  t.ok(names.length > 10);
  t.ok((await stat(segmentFile(join(folder, 'spool'), 1))).size <= 100 * 512);
});

const MOUNTED = 'mount -t tmpfs -o size=512k tmpfs "$0" && dd if=/dev/zero of="$0/ballast" bs=1k count=256 2>/dev/null && exec "$@"';
const noMount = spawnSync('unshare', ['-m', 'sh', '-c', 'mount -t tmpfs tmpfs /mnt']).status === 0 ? false : 'NO DISK CAN BE MOUNTED HERE: a full one is not tested';

t.test('on a disk that is full it loses what has no place, and keeps the rest when there is room again', { skip: noMount }, async (t) => {
  const folder = await makeFolder(t);
  const inner = join(folder, 'disk');
  await mkdir(inner);
  const report = await appendIn(t, `exec unshare -m sh -c '${MOUNTED}' "$0" "$@"`, inner);
  checkReport(t, report);
  t.ok(report.kept.before.length > 100 && report.kept.before.length < 700, `${report.kept.before.length} of 800 had a place`);
  t.equal(report.kept.after.length, 60);
  t.strictSame(report.degraded, { before: true, after: false });
  t.equal(report.logged.filter((line) => /ENOSPC/.test(line)).length, 1, 'a line for all that is lost');
  t.match(report.logged.at(-1), /takes records again/);
});

nothingIsLeft(t);
