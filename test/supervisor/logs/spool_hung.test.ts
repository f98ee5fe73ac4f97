// A disk that does not answer: nobody waits for it for ever, nothing is called lost that is kept after all, and what waits is bounded.
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t, { type Test } from 'tap';
import type { Kept } from '../../../supervisor/logs/line_queue.ts';
import type { SpoolLimits } from '../../../supervisor/logs/spool_limits.ts';
import { makeFolder } from '../../helpers/folder.ts';
import { chat, send, stream } from '../../helpers/http_client.ts';
import { nothingIsLeft } from '../../helpers/leftovers.ts';
import { connected, logsOf, rowOf, serveLogging } from '../../helpers/logging_server.ts';
import { PROJECT } from '../../helpers/process.ts';
import { waitFor } from '../../helpers/wait_for.ts';
import { logRecord, readSpool, startSpool, type SpoolHarness } from './spool_harness.ts';

const HUNG_WRITES = pathToFileURL(join(PROJECT, 'test/fixtures/threads/hung_writes.mjs')).href;
const file = join(await makeFolder(t), 'hang');
process.env['HANG_WHILE'] = file;
await import(HUNG_WRITES);

const hang = () => writeFile(file, '');
const answer = () => rm(file, { force: true });
t.afterEach(answer);

async function start(t: Test, limits: Partial<SpoolLimits> = {}): Promise<SpoolHarness> {
  const harness = await startSpool(t, { limits: { lateMs: 250, ...limits } });
  // The spool ends after what is done here: it is not to wait for a disk that hangs.
  t.teardown(answer);
  return harness;
}

const append = ({ spool }: SpoolHarness, type: 'open' | 'end', id: string, text = ''): Promise<Kept> =>
  spool.append({ type, record: logRecord({ interaction_id: id, output_response: text }) });

t.test('a line that the disk has not taken in time is late, and so is every other at once, until it answers', async (t) => {
  const harness = await start(t);
  const { spool, directory, logged } = harness;
  t.equal(await append(harness, 'open', 'a'), 'kept');
  await hang();
  const first = append(harness, 'end', 'a');
  t.notOk(spool.isDegraded);
  t.equal(await first, 'late');
  t.strictSame([spool.isDegraded, spool.lost], [true, 0], 'it is not lost: it waits');
  const told = Promise.all(['b', 'c'].map((id) => append(harness, 'open', id)));
  const turn = new Promise((resolve) => setImmediate(resolve));
  t.strictSame(await Promise.race([told, turn]), ['late', 'late'], 'nobody waits for a disk that is known not to answer');
  t.strictSame((await readSpool(directory)).words, ['open a']);
  t.equal(logged.filter((line) => /does not answer/.test(line)).length, 1, 'a line for all of it');

  await answer();
  await waitFor('the disk to answer', () => !spool.isDegraded);
  t.strictSame((await readSpool(directory)).words, ['open a', 'end a', 'open b', 'open c'], 'each is there once, in order');
  t.strictSame([spool.lost, spool.spooled], [0, 1]);
  t.match(logged.at(-1), /answers again/);
  t.equal(await append(harness, 'end', 'b'), 'kept');
  await hang();
  t.equal(await append(harness, 'end', 'c'), 'late', 'and once more');
});

t.test('what waits for it in memory is bounded, and only what has no place is lost', async (t) => {
  const harness = await start(t, { waitingBytes: 20_000 });
  const { spool, directory } = harness;
  await append(harness, 'open', 'first');
  await hang();
  const told = await Promise.all(Array.from({ length: 100 }, (_, i) => append(harness, 'end', `id-${i}`, 'x'.repeat(1000))));
  const late = told.indexOf('lost');
  t.ok(late >= 10 && late <= 20);
  t.strictSame(told, [...Array(late).fill('late'), ...Array(100 - late).fill('lost')]);
  t.ok(spool.bytes < 25_000);
  t.equal(spool.lost, 100 - late);
  await answer();
  await waitFor('the disk to answer', () => !spool.isDegraded);
  t.strictSame((await readSpool(directory)).words, ['open first', ...Array.from({ length: late }, (_, i) => `end id-${i}`)]);
  t.equal(spool.lost, 100 - late, 'as before: nothing was counted that is there');
});

t.test('what is late and cannot be written in the end is lost then, and counted once', async (t) => {
  const harness = await start(t);
  const { spool, directory } = harness;
  await append(harness, 'open', 'a');
  await hang();
  t.equal(await append(harness, 'end', 'a'), 'late');
  t.equal(spool.lost, 0);
  await writeFile(file, 'EIO');
  await waitFor('the loss', () => spool.lost === 1);
  t.match(harness.logged.join(), /"reason":"EIO"/);
  await answer();
  t.equal(await append(harness, 'end', 'b'), 'kept');
  t.strictSame([spool.lost, spool.isDegraded], [1, false]);
  t.strictSame((await readSpool(directory)).words, ['open a', 'end b']);
});

t.test('one of an earlier server, which nobody waits for, is kept when the disk answers', async (t) => {
  const before = await start(t);
  await append(before, 'open', 'a');
  await before.spool.close();
  await hang();
  const harness = await startSpool(t, { directory: before.directory, limits: { lateMs: 20 } });
  await waitFor('it to be late', () => harness.spool.isDegraded);
  await answer();
  await harness.spool.recovered;
  t.strictSame((await readSpool(before.directory)).words, ['open a', 'end a']);
  t.equal(harness.spool.lost, 0);
});

t.test('a spool is closed in time, and says what it leaves behind', async (t) => {
  const harness = await start(t);
  await append(harness, 'open', 'a');
  await hang();
  t.equal(await append(harness, 'end', 'a'), 'late');
  await harness.spool.close();
  t.ok(existsSync(file), 'the disk has not answered');
  t.match(harness.logged.at(-1), /"waiting":1.*was left before its disk had taken everything/);
});

t.test('closed at once, it writes nothing to a disk that has kept it waiting', async (t) => {
  const harness = await start(t);
  await append(harness, 'open', 'a');
  await hang();
  t.equal(await append(harness, 'end', 'a'), 'late');
  harness.spool.closeNow();
  t.strictSame((await readSpool(harness.directory)).words, ['open a'], 'the next start finds that it was interrupted');
});

t.test('a server whose disk hangs ends its interactions, says so, logs them when the disk answers, and can be stopped meanwhile', async (t) => {
  const env = { DB_LOGGING_ENABLED: 'true', NODE_OPTIONS: `--import=${HUNG_WRITES}`, HANG_WHILE: file };
  const server = await serveLogging(t, 'puppet', { env });
  await connected(server);
  const ready = async () => (await send(server.url, '/ready')).json;
  t.match(await ready(), { status: 'ready' });
  await hang();
  const ids = ['3f1b5a3e-0d5c-4a54-8d55-0d6d0a6a5c01', '3f1b5a3e-0d5c-4a54-8d55-0d6d0a6a5c02'] as const;
  const streamed = await stream(server.url, { message: 'say streamed', interaction_id: ids[0] });
  t.match(await chat(server.url, { message: 'say answered', interaction_id: ids[1] }), { status: 200, json: { response: 'answered' } });
  await streamed.ended;
  t.match(streamed.events.at(-1)?.content, { type: 'output', content: 'streamed' });
  t.match(await ready(), { status: 'degraded', checks: { workers: 'ok', log_database: 'ok' } });
  t.match(await logsOf(server), { lost: 0 });

  await answer();
  for (const id of ids) t.match(await rowOf(server, id), { status: 'success' });
  await waitFor('it to be ready', async () => (await ready())['status'] === 'ready');
  t.match(await logsOf(server), { lost: 0 });

  await hang();
  t.equal((await chat(server.url, { message: 'say on' })).status, 200);
  t.strictSame(await server.end('SIGTERM'), { code: 0, signal: null });
  t.match(server.output.stderr, /was left before its disk had taken everything/);
});

nothingIsLeft(t);
