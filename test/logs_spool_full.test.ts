// A server whose spool is full because its database is away: chats go on, what has no place is counted, and everything else becomes a row, once.
import t, { type Test } from 'tap';
import { send } from './helpers/http_client.ts';
import { nothingIsLeft } from './helpers/leftovers.ts';
import { nothingSeen, startLoad, type Seen } from './helpers/logged_load.ts';
import { databaseOf, logsOf, readinessOf, serveLogging, settledRows, type LoggedEnd, type LoggingServer } from './helpers/logging_server.ts';
import { postgresOrSkip } from './helpers/postgres_server.ts';
import { waitFor } from './helpers/wait_for.ts';

const MOST_BYTES = 1024 * 1024;
const ENV = { SPOOL_MAX_MB: '1' };
/** Less than a hundred fill the spool. */
const MESSAGES = [[`say ${'x'.repeat(5000)}`, 'success']] as const;
const LOST = 60;
/** Whose ends come together, when there is room for the texts of few. */
const MANY = 40;

/** Chats until so many records are lost. */
async function overfill(t: Test, server: LoggingServer, seen: Seen, askers = 4): Promise<void> {
  const load = startLoad(server.url, askers, seen, 0, MESSAGES);
  t.teardown(() => load.stop());
  await waitFor('lost records', async () => (await logsOf(server)).lost >= LOST, 30_000);
  await load.stop();
}

async function lostByMetrics({ url }: LoggingServer): Promise<number> {
  return Number(/^oai_log_lost_records (\d+)$/m.exec((await send(url, '/metrics')).text)?.[1]);
}

t.test('a full spool', async (t) => {
  const postgres = await postgresOrSkip(t);
  if (postgres === null) return;
  await postgres.kill();
  const server = await serveLogging(t, 'puppet', databaseOf(postgres), { env: ENV });
  const seen = nothingSeen();
  await overfill(t, server, seen);
  t.strictSame([seen.unanswered, seen.refused], [[], []], 'every chat was answered');
  const { lost, spooled, spool_bytes: bytes } = await logsOf(server);
  t.equal(spooled + lost, seen.ended.size, 'each is kept or counted');
  t.equal(await lostByMetrics(server), lost);
  t.ok(bytes <= MOST_BYTES, `${bytes} bytes`);
  t.equal(await readinessOf(server), '200 degraded, database down');
  await waitFor('the word of it', () => server.output.stderr.includes('"reason":"it is full"'));
  t.comment(`${seen.ended.size} chats: ${spooled} records in ${bytes} bytes, ${lost} lost`);

  await postgres.start();
  await waitFor('a server that is ready', async () => (await readinessOf(server)) === '200 ready, database ok', 30_000);
  isOf(t, await settledRows(server, postgres), seen, lost);
  const emptied = await logsOf(server);
  t.ok(emptied.spool_bytes < MOST_BYTES / 4, `${emptied.spool_bytes} bytes are left until nothing comes for a while`);

  const load = startLoad(server.url, 4, seen, 0, MESSAGES);
  t.teardown(() => load.stop());
  const before = seen.ended.size;
  await waitFor('further chats', () => seen.ended.size >= before + 300, 30_000);
  await load.stop();
  t.strictSame(seen.unanswered, []);
  isOf(t, await settledRows(server, postgres), seen, lost);
  t.match(await logsOf(server), { lost, spooled: 0, dead_letters: 0 }, 'no more are lost');
  t.equal(await lostByMetrics(server), lost);
  await waitFor('the word of it', () => server.output.stderr.includes('the spool of the log takes records again'));
  t.strictSame(await server.end('SIGTERM'), { code: 0, signal: null });
});

t.test('killed while it is full, with many interactions at once, of which none is told to be interrupted that its client saw succeed', async (t) => {
  const postgres = await postgresOrSkip(t);
  if (postgres === null) return;
  await postgres.kill();
  const first = await serveLogging(t, 'puppet', databaseOf(postgres), { env: ENV });
  const seen = nothingSeen();
  await overfill(t, first, seen, MANY);
  const { lost, spooled } = await logsOf(first);
  await first.end('SIGKILL');

  const server = await serveLogging(t, 'puppet', databaseOf(postgres), { dataDir: first.dataDir, env: ENV });
  await waitFor('what was left', async () => (await logsOf(server)).spooled >= spooled);
  await overfill(t, server, seen);
  t.strictSame([seen.unanswered, seen.refused], [[], []], 'every chat was answered');
  const { lost: lostLater } = await logsOf(server);
  await postgres.start();
  await waitFor('a server that is ready', async () => (await readinessOf(server)) === '200 ready, database ok', 30_000);
  isOf(t, await settledRows(server, postgres), seen, lost + lostLater);
  t.strictSame(await server.end('SIGTERM'), { code: 0, signal: null });
});

/** Of what was seen to end every record but the lost ones has a row, with that end, and there are no others. */
function isOf(t: Test, rows: readonly LoggedEnd[], { ended }: Seen, lost: number): void {
  t.equal(rows.length, ended.size - lost, 'a row for each that is not lost');
  t.equal(new Set(rows.map(({ interaction_id }) => interaction_id)).size, rows.length, 'once');
  const wrong = rows.filter(({ interaction_id, status }) => ended.get(interaction_id) !== status);
  t.strictSame(wrong.map(({ interaction_id, status }) => [ended.get(interaction_id), status]), [], 'with the end that its client was told');
}

nothingIsLeft(t);
