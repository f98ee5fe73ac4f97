// What one asker of the log can take from the others: so many turns, so much time.
import { DatabaseSync } from 'node:sqlite';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import type { LogListing, LogQuestion } from '../../../shared/log_protocol.ts';
import { Queries } from '../../../supervisor/logs/queries.ts';
import type { QueriesOptions } from '../../../supervisor/logs/query_limits.ts';
import { EVERYTHING, knownRecord, postgresLog, sqliteLog } from '../../helpers/log_rows.ts';
import { nothingIsLeft } from '../../helpers/leftovers.ts';
import { waitFor } from '../../helpers/wait_for.ts';

const STATS: LogQuestion = { type: 'stats', filter: EVERYTHING };
const PAGE: LogListing = { type: 'page', filter: EVERYTHING, limit: 10, offset: 0 };
const EXPORT: LogListing = { type: 'export', filter: EVERYTHING, format: 'jsonl' };
const forever = new AbortController().signal;

function open(t: Test, options: QueriesOptions): Queries {
  const queries = new Queries(options, pino({ level: 'silent' }));
  t.teardown(() => queries.close());
  return queries;
}

const rows = (count: number) => Array.from({ length: count }, (_, number) => knownRecord(number, { agent_name: 'a', input_message: 'x'.repeat(1000) }));

async function read(portions: AsyncIterable<string> | null): Promise<string> {
  let text = '';
  for await (const portion of portions ?? []) text += portion;
  return text;
}

t.test('one caller that asks much leaves the others their turns', async (t) => {
  const queries = open(t, { backend: await sqliteLog(t, rows(2000)) });
  const paused = await Promise.all(Array.from({ length: 8 }, () => queries.list(EXPORT, 'token:1', forever)));
  await t.rejects(queries.list(EXPORT, 'token:1', forever), { code: 'LOG_BUSY', status: 503 });
  await t.rejects(queries.ask(STATS, 'token:1', forever), { code: 'LOG_BUSY', status: 503 });
  t.match(JSON.parse(await read(await queries.list(PAGE, 'token:2', forever))), { total: 2000 });
  for (const reader of paused) for await (const _ of reader ?? []) break;
  t.match(await waitFor('its next turn', () => queries.ask(STATS, 'token:1', forever).catch(() => null)), /"total_interactions":2000/);
});

t.test('a reader that takes next to nothing is cut off, and its place is free', async (t) => {
  const queries = open(t, { backend: await sqliteLog(t, rows(2000)), portionTimeoutMs: 500 });
  const readers = await Promise.all(Array.from({ length: 8 }, () => queries.list(EXPORT, 'token:1', forever)));
  const slow = readers.map(async (reader) => {
    for await (const _ of reader ?? []) await waitFor('room for another', () => queries.ask(STATS, 'token:1', forever).catch(() => null));
  });
  await Promise.all(slow.map((reading) => t.rejects(reading, { code: 'LOG_TIMEOUT' })));
});

t.test('all statements of a question have one time together: embedded', async (t) => {
  const backend = await sqliteLog(t, rows(5));
  const db = new DatabaseSync(backend.file);
  // Each time that a response time is looked at takes long.
  const slow = '(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000 + length(interaction_id)) SELECT max(i) FROM n)';
  const columns = (db.prepare('SELECT name FROM pragma_table_xinfo(?)').all('chat_logs') as { name: string }[]).map(({ name }) => `"${name}"`);
  const made = columns.map((name) => (name === '"response_time_ms"' ? `${slow} AS ${name}` : name)).join(', ');
  db.exec(`ALTER TABLE chat_logs RENAME TO kept; CREATE VIEW chat_logs AS SELECT ${made} FROM kept`);
  db.close();
  const patient = open(t, { backend, statementTimeoutMs: 60_000 });
  await patient.ask({ type: 'one', filter: EVERYTHING, interactionId: 'unknown' }, 'admin', forever);
  // Two of its statements read them, none of which alone takes so much of the time. Again where the machine was faster than before.
  const isEnded = async (): Promise<boolean> => {
    const began = performance.now();
    await patient.ask(STATS, 'admin', forever);
    const queries = open(t, { backend, statementTimeoutMs: (performance.now() - began) * 0.7 });
    return (await queries.ask(STATS, 'admin', forever).catch((error: { code?: string }) => error.code)) === 'LOG_TIMEOUT';
  };
  t.ok((await isEnded()) || (await isEnded()) || (await isEnded()));
});

t.test('all statements of a question have one time together: PostgreSQL', async (t) => {
  const log = await postgresLog(t, rows(1));
  if (log === null) return;
  const backend = { type: 'postgres', url: log.url } as const;
  await log.server.query('ALTER TABLE chat_logs RENAME TO kept');
  await log.server.query('CREATE FUNCTION slowly(float8) RETURNS float8 LANGUAGE plpgsql VOLATILE AS $$ BEGIN PERFORM pg_sleep(0.7); RETURN 1; END $$');
  const columns = (await log.server.query("SELECT column_name AS name FROM information_schema.columns WHERE table_name = 'kept'")).map(({ name }) => `"${name}"`);
  const made = columns.map((name) => (name === '"response_time_ms"' ? `slowly(${name}) AS ${name}` : name)).join(', ');
  await log.server.query(`CREATE VIEW chat_logs AS SELECT ${made} FROM kept OFFSET 0`);
  const patient = open(t, { backend, statementTimeoutMs: 60_000 });
  const began = performance.now();
  t.match(await patient.ask(STATS, 'admin', forever), /"total_interactions":1/);
  const tookMs = performance.now() - began;
  t.ok(tookMs > 1400, 'two statements or more wait for it');
  // Longer than each alone sleeps, even where the first one has to wait for a slow machine.
  const queries = open(t, { backend, statementTimeoutMs: 1300 });
  await t.rejects(queries.ask(STATS, 'admin', forever), { code: 'LOG_TIMEOUT', status: 504 });
});

nothingIsLeft(t);
