// A server whose PostgreSQL is killed, frozen, restarted, not there or not to be opened: chats go on, and each has one row when it is back.
// FREEZE_S: how long it is frozen at least, in s; until that is noticed, which takes 10 s, where it is not set.
import { randomUUID } from 'node:crypto';
import t, { type Test } from 'tap';
import { chat, send, stream } from './helpers/http_client.ts';
import { nothingIsLeft } from './helpers/leftovers.ts';
import { nothingSeen, startLoad, type Seen } from './helpers/logged_load.ts';
import { connected, databaseOf, logsOf, readinessOf, serveLogging, settledRows } from './helpers/logging_server.ts';
import type { LoggedEnd, LoggingServer } from './helpers/logging_server.ts';
import { postgresOrSkip, type PostgresServer } from './helpers/postgres_server.ts';
import { figuresOf } from './helpers/server_status.ts';
import { waitFor } from './helpers/wait_for.ts';

const FREEZE_MS = Number(process.env['FREEZE_S'] ?? 0) * 1000;
const ASKERS = 8;
const PAUSE_MS = 25;
/** Long enough that a few minutes of them, 140 MB of records each, would be seen in the server's memory. */
const MESSAGES = [[`say ${'x'.repeat(8000)}`, 'success']] as const;
/** What the server's memory may grow by while records wait: 50 to 110 MB, measured, be it for 10 s or 60, as a young heap still finds its size. */
const MOST_MB = 250;
/** Of what the server keeps to resume streams next to nothing, so that its memory soon has its size. */
const ENV = { RESUME_MEMORY_MB: '1' };
/** Whoever asks for the log is answered within the 12 s that its statements have; a busy machine is given more. */
const ANSWERED_MS = 20_000;
/** What a chat may take longer, in a good window, before it is said to feel the outage. */
const NOISE_MS = 100;
const READY = '200 ready, database ok';
const AWAY = '200 degraded, database down';
const SECRET = /open-sesame|canary/;

interface Outage {
  readonly title: string;
  begin(postgres: PostgresServer): unknown;
  end(postgres: PostgresServer): unknown;
  readonly leastMs: number;
}

const OUTAGES: readonly Outage[] = [
  { title: 'killed', begin: (postgres) => postgres.kill(), end: (postgres) => postgres.start(), leastMs: 0 },
  { title: 'restarted', begin: (postgres) => postgres.shutDown(), end: (postgres) => postgres.start(), leastMs: 0 },
  { title: 'frozen', begin: (postgres) => postgres.freeze(), end: (postgres) => postgres.resume(), leastMs: FREEZE_MS },
];

t.test('PostgreSQL goes away under load', { timeout: 100_000 + FREEZE_MS }, async (t) => {
  const postgres = await postgresOrSkip(t);
  if (postgres === null) return;
  const server = await serveLogging(t, 'puppet', databaseOf(postgres), { env: ENV });
  await connected(server);
  const load = startLoad(server.url, ASKERS, nothingSeen(), PAUSE_MS, MESSAGES);
  t.teardown(() => load.stop());
  const { seen } = load;
  for (const outage of OUTAGES) await t.test(outage.title, (t) => goesOn(t, server, postgres, seen, outage));
  await load.stop();
  t.strictSame([seen.unanswered, seen.refused], [[], []], 'every chat was answered');
  const rows = await settledRows(server, postgres);
  isWhole(t, rows, seen);
  t.match(await logsOf(server), { lost: 0, dead_letters: 0 });
  t.comment(`${rows.length} rows`);
  t.strictSame(await server.end('SIGTERM'), { code: 0, signal: null });
  t.notMatch(server.output.stdout + server.output.stderr, SECRET);
});

async function goesOn(t: Test, server: LoggingServer, postgres: PostgresServer, seen: Seen, { title, begin, end, leastMs }: Outage): Promise<void> {
  // So that the first question finds a connection that was good.
  t.match(await askLog(server), { told: '200 undefined' });
  latenciesOf(seen);
  await answered(seen, 100);
  const usualP99 = bestP99(seen);
  const usual = latenciesOf(seen);
  const before = await figuresOf(server);
  const began = performance.now();
  await begin(postgres);
  const first = askLog(server);
  await waitFor('the word that it is away', async () => (await readinessOf(server)) === AWAY, 30_000);
  const toldMs = Math.round(performance.now() - began);
  const questions = [await first, await askLog(server)];
  for (const { told, tookMs } of questions) {
    t.equal(told, '503 LOG_UNAVAILABLE');
    t.ok(tookMs < ANSWERED_MS, `${tookMs} ms`);
  }
  await waitFor('the end of the outage', () => performance.now() - began > leastMs, leastMs + 1000);
  await answered(seen, 100);
  const awayP99 = bestP99(seen);
  t.ok(awayP99 < 2 * usualP99 + NOISE_MS, `p99 of chats ${awayP99} ms while it is away, ${usualP99} ms before`);
  const away = latenciesOf(seen);
  const { connected: isConnected, spooled, spool_bytes: bytes, lost } = await logsOf(server);
  t.strictSame([isConnected, lost], [false, 0]);
  t.ok(spooled >= 100, `${spooled} records wait`);
  const growthMb = Math.round((await figuresOf(server)).residentMb - before.residentMb);
  t.ok(growthMb < MOST_MB, `${growthMb} MB more`);

  await end(postgres);
  const back = performance.now();
  await waitFor('the word that it is back', async () => (await readinessOf(server)) === READY, 30_000);
  const backMs = Math.round(performance.now() - back);
  await waitFor('an answer of the log', async () => (await askLog(server)).told === '200 undefined');
  await answered(seen, 100);
  const answeredMs = questions.map(({ tookMs }) => tookMs).join(' and ');
  t.comment(`${title}: told after ${toldMs} ms, and ${backMs} ms after it was back; /logs answered after ${answeredMs} ms`);
  const [spoolMb, beforeMb] = [Math.round(bytes / 1e6), Math.round(before.residentMb)];
  t.comment(`${title}: ${spooled} records waited in ${spoolMb} MB; the server's memory had ${beforeMb} MB before, ${growthMb} MB more then`);
  t.comment(`${title}: chats before ${usual}`);
  t.comment(`${title}: chats while it was away ${away}`);
  t.comment(`${title}: chats afterwards ${latenciesOf(seen)}`);
}

t.test('a stop while it is frozen is in time, and the next server starts without it', { timeout: 100_000 }, async (t) => {
  const postgres = await postgresOrSkip(t);
  if (postgres === null) return;
  const database = databaseOf(postgres);
  const first = await serveLogging(t, 'puppet', database, { env: { DRAIN_TIMEOUT_SECONDS: '1' } });
  await connected(first);
  const seen = nothingSeen();
  const load = startLoad(first.url, ASKERS, seen, PAUSE_MS, MESSAGES);
  t.teardown(() => load.stop());
  await answered(seen, 50);
  postgres.freeze();
  await answered(seen, 50);
  const cut = randomUUID();
  const hanging = await stream(first.url, { message: 'say so far\nhang', interaction_id: cut });
  await hanging.until('text');
  await load.stop();
  t.strictSame(seen.unanswered, []);
  const question = askLog(first).catch(String);
  const stopped = performance.now();
  t.strictSame(await first.end('SIGTERM'), { code: 0, signal: null });
  const tookMs = Math.round(performance.now() - stopped);
  t.ok(tookMs < 15_000, `${tookMs} ms`);
  t.comment(`it ended ${tookMs} ms after TERM, its drain timeout being 1000 ms; a question to the log meanwhile: ${JSON.stringify(await question)}`);
  await hanging.ended;
  t.match(hanging.events.at(-1)?.content, { type: 'error', error: { code: 'shutting_down' } });

  await postgres.kill();
  const second = await serveLogging(t, 'puppet', database, { dataDir: first.dataDir });
  t.equal(await readinessOf(second), AWAY);
  t.match(await askLog(second), { told: '503 LOG_UNAVAILABLE' });
  const later = startLoad(second.url, ASKERS, seen, PAUSE_MS, MESSAGES);
  t.teardown(() => later.stop());
  await answered(seen, 50);
  await later.stop();
  t.strictSame(seen.unanswered, []);
  await postgres.start();
  await waitFor('the word that it is back', async () => (await readinessOf(second)) === READY, 30_000);
  seen.ended.set(cut, 'error');
  isWhole(t, await settledRows(second, postgres), seen);
  t.strictSame(await second.end('SIGTERM'), { code: 0, signal: null });
});

t.test('it does not take the password', async (t) => {
  const postgres = await postgresOrSkip(t);
  if (postgres === null) return;
  const wrong = new URL(postgres.url);
  wrong.password = 'canary-of-the-password';
  const env = { ...databaseOf(postgres).env, LOGGING_DB_URL: wrong.href };
  const server = await serveLogging(t, 'puppet', { env }, { env: { LOG_LEVEL: 'debug' } });
  await waitFor('the reason', () => (server.output.stdout + server.output.stderr).includes('the user or password was refused'));
  t.equal((await chat(server.url, { message: 'say hello' })).status, 200);
  t.equal(await readinessOf(server), AWAY);
  for (const path of ['/status', '/ready', '/metrics', '/logs']) {
    const answer = await send(server.url, path);
    t.equal(answer.status, path === '/logs' ? 503 : 200, path);
    t.notMatch(answer.text, SECRET, path);
  }
  await postgres.query("ALTER ROLE postgres PASSWORD 'canary-of-the-password'");
  await waitFor('the word that it is back', async () => (await readinessOf(server)) === READY, 30_000);
  await waitFor('the row', async () => (await send(server.url, '/logs')).json['total'] === 1);
  t.strictSame(await server.end('SIGTERM'), { code: 0, signal: null });
  t.notMatch(server.output.stdout + server.output.stderr, SECRET);
});

/** Waits until so many more chats were answered. */
async function answered({ tookMs }: Seen, more: number): Promise<void> {
  const wanted = tookMs.length + more;
  await waitFor(`${more} answers`, () => tookMs.length >= wanted, 30_000);
}

/** Of the chats that were answered since it was last asked. */
/** In ms, of the best of the windows of 50 chats that follow each other: a busy machine has bad moments, whatever the database does. */
function bestP99({ tookMs }: Seen): number {
  const windows = Array.from({ length: Math.floor(tookMs.length / 50) }, (_, index) => tookMs.slice(50 * index, 50 * (index + 1)));
  return Math.round(Math.min(...windows.map((window) => Math.max(...window))));
}

function latenciesOf({ tookMs }: Seen): string {
  const times = tookMs.splice(0).toSorted((a, b) => a - b);
  const percentile = (fraction: number): number => Math.round(times[Math.floor(fraction * times.length)] ?? Number.NaN);
  return `${times.length}, p50 ${percentile(0.5)} p95 ${percentile(0.95)} p99 ${percentile(0.99)} max ${Math.round(times.at(-1) ?? Number.NaN)} ms`;
}

async function askLog({ url }: Pick<LoggingServer, 'url'>): Promise<{ readonly told: string; readonly tookMs: number }> {
  const asked = performance.now();
  const { status, json } = await send(url, '/logs?limit=1');
  return { told: `${status} ${String(json['code'])}`, tookMs: Math.round(performance.now() - asked) };
}

/** Every interaction that was seen to end has one row, with that end, and there are no others. */
function isWhole(t: Test, rows: readonly LoggedEnd[], { ended }: Seen): void {
  const statuses = new Map(rows.map(({ interaction_id, status }) => [interaction_id, status]));
  const wrong = [...ended].filter(([id, status]) => statuses.get(id) !== status);
  t.strictSame(wrong.map(([id, status]) => [status, statuses.get(id)]), [], 'each has its row, with the end that its client was told');
  t.strictSame([rows.length, statuses.size], [ended.size, ended.size], 'once, and there is nothing else');
}

nothingIsLeft(t);
