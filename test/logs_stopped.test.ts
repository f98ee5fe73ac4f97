// The log when the server is told to end, in every way.
import { randomUUID } from 'node:crypto';
import t, { type Test } from 'tap';
import { chat, stream, type OpenedStream } from './helpers/http_client.ts';
import { nothingIsLeft } from './helpers/leftovers.ts';
import { connected, eachDatabase, rowOf, serveLogging, type LogDatabase, type LoggingServer } from './helpers/logging_server.ts';
import { waitFor } from './helpers/wait_for.ts';

interface Running {
  readonly id: string;
  readonly opened: OpenedStream;
}

/** So many that never end by themselves. */
async function hang({ url }: LoggingServer, count: number): Promise<readonly Running[]> {
  return Promise.all(Array.from({ length: count }, async () => {
    const id = randomUUID();
    const opened = await stream(url, { message: 'say so far\nhang', interaction_id: id });
    await opened.until('text');
    return { id, opened };
  }));
}

/** By id how each ended, once all are there. */
async function endsOf(database: LogDatabase, dataDir: string, ids: readonly string[]): Promise<readonly string[]> {
  return waitFor(`${ids.length} rows`, async () => {
    const ends = new Map((await database.rows(dataDir)).map(({ interaction_id, status, error_code }) => [interaction_id, `${status} ${error_code}`]));
    return ids.every((id) => ends.has(id)) && ids.map((id) => ends.get(id) ?? '');
  }, 20_000);
}

async function told(t: Test, { opened }: Running): Promise<void> {
  await opened.ended;
  t.match(opened.events.at(-1)?.content, { type: 'error', error: { code: 'shutting_down' } });
}

t.test('TERM, when what runs does not end in time', (t) => eachDatabase(t, async (t, database) => {
  const server = await serveLogging(t, 'puppet', database, { env: { DRAIN_TIMEOUT_SECONDS: '0.3' } });
  await connected(server);
  const running = await hang(server, 20);
  t.strictSame(await server.end('SIGTERM'), { code: 0, signal: null });
  for (const each of running) await told(t, each);
  const rows = await database.rows(server.dataDir);
  t.strictSame(rows.map(({ status, error_code }) => `${status} ${error_code}`), Array(20).fill('error shutting_down'), 'all are in the database by its end');
}));

t.test('QUIT: whoever read is told, and what they were told is in the log after the next start', (t) => eachDatabase(t, async (t, database) => {
  const server = await serveLogging(t, 'puppet', database);
  await connected(server);
  const running = await hang(server, 20);
  // This one the disk has been asked to keep, and may be at it.
  const ending = await stream(server.url, { message: 'say so far\nhold gate', interaction_id: randomUUID() });
  await ending.until('text');
  await chat(server.url, { message: 'release gate' });
  t.strictSame(await server.end('SIGQUIT'), { code: 0, signal: null });
  for (const each of running) await told(t, each);
  const second = await serveLogging(t, 'puppet', database, { dataDir: server.dataDir });
  t.strictSame(await endsOf(database, server.dataDir, running.map(({ id }) => id)), Array(20).fill('error shutting_down'));
  await ending.ended;
  const id = String(ending.events[0]?.interaction_id);
  t.match(ending.events.at(-1)?.content, (await endsOf(database, server.dataDir, [id]))[0] === 'success null' ? { type: 'output' } : { type: 'error' });
  t.strictSame(await second.end('SIGTERM'), { code: 0, signal: null });
  t.equal((await database.rows(server.dataDir)).length, 22, 'each has one row');
}));

t.test('killed as soon as the first of many is seen to begin, every one that was seen is there', async (t) => {
  const server = await serveLogging(t, 'puppet', { env: { DB_LOGGING_ENABLED: 'true' } });
  await chat(server.url, { message: 'say hi' });
  const ids = Array.from({ length: 60 }, () => randomUUID());
  const seen = await Promise.all(ids.map(async (interaction_id) => {
    const opened = await stream(server.url, { message: 'hang', interaction_id }).catch(() => null);
    opened?.until('start').then(() => server.process.kill('SIGKILL'), () => undefined);
    await opened?.ended;
    return opened?.events.some(({ content }) => content.type === 'start') === true ? [interaction_id] : [];
  }));
  await server.exited;
  const second = await serveLogging(t, 'puppet', { env: { DB_LOGGING_ENABLED: 'true' } }, { dataDir: server.dataDir });
  for (const id of seen.flat()) t.match(await rowOf(second, id), { status: 'interrupted' });
  t.ok(seen.flat().length > 0);
  t.strictSame(await second.end('SIGTERM'), { code: 0, signal: null });
});

nothingIsLeft(t);
