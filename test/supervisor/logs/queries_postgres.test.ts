// Questions to PostgreSQL when it is away, frozen, slow or not as it has to be, and what is left of them there.
import { pino } from 'pino';
import t, { type Test } from 'tap';
import type { LogListing, LogQuestion } from '../../../shared/log_protocol.ts';
import { Queries } from '../../../supervisor/logs/queries.ts';
import { EVERYTHING, knownRecord, postgresLog } from '../../helpers/log_rows.ts';
import { nothingIsLeft } from '../../helpers/leftovers.ts';
import { postgresOrSkip, type PostgresServer } from '../../helpers/postgres_server.ts';
import { waitFor } from '../../helpers/wait_for.ts';

const STATS: LogQuestion = { type: 'stats', filter: EVERYTHING };
const SLOW: LogQuestion = { type: 'stats', filter: { ...EVERYTHING, agentName: 'slow' } };
const EXPORT: LogListing = { type: 'export', filter: EVERYTHING, format: 'jsonl' };
const ROWS = Array.from({ length: 3000 }, (_, number) => knownRecord(number, { agent_name: 'a', input_message: 'x'.repeat(1000) }));
const CALLER = 'token:1';
const forever = new AbortController().signal;

function open(t: Test, url: string, statementTimeoutMs = 3000): { queries: Queries; lines: string[] } {
  const lines: string[] = [];
  const queries = new Queries({ backend: { type: 'postgres', url }, statementTimeoutMs }, pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) }));
  t.teardown(() => queries.close());
  return { queries, lines };
}

/** Makes the rows of the agent `slow` such that to read them takes long, or does what the expression does. */
async function viewWith(server: PostgresServer, expression: string): Promise<void> {
  // Said to be stable: only of the rows that are read is it worked out.
  await server.query('CREATE FUNCTION slowly(text) RETURNS float8 LANGUAGE plpgsql STABLE AS $$ BEGIN PERFORM pg_sleep(600); RETURN 1; END $$');
  await server.query('ALTER TABLE chat_logs RENAME TO kept');
  const columns = (await server.query("SELECT column_name AS name FROM information_schema.columns WHERE table_name = 'kept'")).map(({ name }) => `"${name}"`);
  const made = columns.map((name) => (name === '"response_time_ms"' ? `CASE WHEN agent_name = 'slow' THEN ${expression} ELSE response_time_ms END AS ${name}` : name));
  await server.query(`CREATE VIEW chat_logs AS SELECT ${made.join(', ')} FROM kept`);
}

const others = (server: PostgresServer) =>
  server.query("SELECT state, query FROM pg_stat_activity WHERE application_name LIKE 'oai-agent-server: reader%'");

t.test('a database that goes away is told, and answers again when it is back', async (t) => {
  const log = await postgresLog(t, ROWS);
  if (log === null) return;
  const { queries, lines } = open(t, log.url);
  t.match(await queries.ask(STATS, CALLER, forever), /"total_interactions":3000/);
  await log.server.kill();
  await t.rejects(queries.ask(STATS, CALLER, forever), { code: 'LOG_UNAVAILABLE', status: 503 });
  await t.rejects(queries.list(EXPORT, CALLER, forever), { code: 'LOG_UNAVAILABLE' });
  await log.server.start();
  t.match(await queries.ask(STATS, CALLER, forever), /"total_interactions":3000/);
  t.match(lines.join(''), /the connection was (refused|lost)/);
  t.notMatch(lines.join(''), 'open-sesame');
});

t.test('a reader whose database goes away sees that its listing is not whole', async (t) => {
  const log = await postgresLog(t, ROWS);
  if (log === null) return;
  const { queries } = open(t, log.url);
  const portions = await queries.list(EXPORT, CALLER, forever);
  await log.server.kill();
  await t.rejects(
    async () => {
      for await (const _ of portions ?? []);
    },
    { code: 'LOG_UNAVAILABLE' },
  );
});

t.test('a frozen database is told within its time, on open connections and on new ones', async (t) => {
  const log = await postgresLog(t, ROWS);
  if (log === null) return;
  const { queries } = open(t, log.url, 1000);
  await queries.ask(STATS, CALLER, forever);
  log.server.freeze();
  const began = performance.now();
  const answers = await Promise.all(Array.from({ length: 4 }, () => queries.ask(STATS, CALLER, forever).catch((error: unknown) => error)));
  for (const answer of answers) t.match(answer, { code: /^LOG_(UNAVAILABLE|TIMEOUT)$/ });
  t.ok(performance.now() - began < 20_000);
  log.server.resume();
  t.match(await waitFor('an answer', () => queries.ask(STATS, CALLER, forever).catch(() => null)), /"total_interactions":3000/);
});

t.test('a statement that takes too long is ended by the database, and its thread goes on', async (t) => {
  const log = await postgresLog(t, [...ROWS.slice(0, 5), knownRecord(1, { interaction_id: 'slow', agent_name: 'slow' })]);
  if (log === null) return;
  await viewWith(log.server, 'slowly(interaction_id)');
  const { queries, lines } = open(t, log.url, 1500);
  const reader = await queries.list(EXPORT, CALLER, forever);
  await t.rejects(queries.ask(SLOW, CALLER, forever), { code: 'LOG_TIMEOUT', status: 504 });
  let text = '';
  for await (const portion of reader ?? []) text += portion;
  t.equal(text.split('\n').length - 1, 5);
  t.notMatch(lines.join(''), 'its thread is replaced');
  t.strictSame((await others(log.server)).filter(({ state }) => state === 'active'), []);
});

t.test('a statement that nobody waits for any more ends in the database, too', async (t) => {
  const log = await postgresLog(t, [knownRecord(1, { agent_name: 'slow' })]);
  if (log === null) return;
  await viewWith(log.server, 'slowly(interaction_id)');
  const { queries } = open(t, log.url, 60_000);
  const left = new AbortController();
  const asked = [queries.ask(SLOW, CALLER, left.signal), queries.ask(SLOW, CALLER, left.signal)];
  await waitFor('both to run', async () => (await others(log.server)).filter(({ state }) => state === 'active').length === 2);
  t.equal((await others(log.server)).length, 2, 'on two connections');
  const waiting = queries.ask(STATS, CALLER, forever);
  left.abort(new Error('left'));
  for (const question of asked) await t.rejects(question, { message: 'left' });
  t.match(await waiting, /"total_interactions":0/, 'the next one has its turn at once');
  await waitFor('the end of both', async () => (await others(log.server)).every(({ state }) => state !== 'active'));
});

t.test('nothing that a question does can write', async (t) => {
  const log = await postgresLog(t, [knownRecord(1, { agent_name: 'slow' })]);
  if (log === null) return;
  await log.server.query('CREATE TABLE marks (mark text)');
  await log.server.query("CREATE FUNCTION mark() RETURNS float8 LANGUAGE plpgsql AS $$ BEGIN INSERT INTO marks VALUES ('x'); RETURN 1; END $$");
  await viewWith(log.server, 'mark()');
  const { queries } = open(t, log.url);
  await t.rejects(queries.ask(SLOW, CALLER, forever), { message: 'a question to the log failed: it is read-only' });
  t.strictSame(await log.server.query('SELECT * FROM marks'), []);
});

t.test('a database without the table, or that does not let the user in, is one that cannot be read now', async (t) => {
  const server = await postgresOrSkip(t);
  if (server === null) return;
  await server.query("CREATE USER other PASSWORD 'secret-word'");
  for (const url of [
    server.url, server.url.replace('open-sesame', 'wrong-word'), server.url.replace(/postgres$/, 'nowhere'), server.url.replace('postgres:open-sesame', 'other:secret-word'),
    `postgres://postgres:secret-word@127.0.0.1:1/postgres`, 'postgres://postgres:secret-word@no-such-host.invalid/postgres', `${server.url}?sslmode=require`,
  ]) {
    const { queries, lines } = open(t, url);
    await t.rejects(queries.ask(STATS, CALLER, forever), { code: 'LOG_UNAVAILABLE', status: 503 }, url);
    t.match(lines.join(''), /the log cannot be read/);
    t.notMatch(lines.join(''), /wrong-word|secret-word|open-sesame/);
    await queries.close();
  }
});

t.test('the thread ends and its connections with it', async (t) => {
  const log = await postgresLog(t, ROWS);
  if (log === null) return;
  const { queries } = open(t, log.url);
  const reader = await queries.list(EXPORT, CALLER, forever);
  t.ok((await others(log.server)).length > 0);
  await queries.close();
  await t.rejects(async () => {
    for await (const _ of reader ?? []);
  }, { code: 'SHUTTING_DOWN' });
  await waitFor('the end of the connections', async () => (await others(log.server)).length === 0);
});

nothingIsLeft(t);
