// The thread that reads the log as the supervisor uses it: begun late, kept busy, held up, broken, left alone by its askers.
import { DatabaseSync } from 'node:sqlite';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import type { LogBackend, LogListing, LogQuestion } from '../../../shared/log_protocol.ts';
import { Queries } from '../../../supervisor/logs/queries.ts';
import type { QueriesOptions } from '../../../supervisor/logs/query_limits.ts';
import { EVERYTHING, knownRecord, sqliteLog } from '../../helpers/log_rows.ts';
import { nothingIsLeft } from '../../helpers/leftovers.ts';
import { waitFor } from '../../helpers/wait_for.ts';

const STATS: LogQuestion = { type: 'stats', filter: EVERYTHING };
const PAGE: LogListing = { type: 'page', filter: EVERYTHING, limit: 10, offset: 0 };
const EXPORT: LogListing = { type: 'export', filter: EVERYTHING, format: 'jsonl' };
/** Reading the rows of this agent takes long. */
const SLOW = { ...EVERYTHING, agentName: 'slow' };
/** Another one each time. */
let callers = 0;
const somebody = (): string => `token:${(callers += 1)}`;
const forever = new AbortController().signal;

interface Opened {
  readonly queries: Queries;
  /** Lines of the server's log. */
  readonly lines: string[];
}

function open(t: Test, options: QueriesOptions): Opened {
  const lines: string[] = [];
  const queries = new Queries(options, pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) }));
  t.teardown(() => queries.close());
  return { queries, lines };
}

const rows = (count: number, fields: Parameters<typeof knownRecord>[1] = {}) => Array.from({ length: count }, (_, number) => knownRecord(number, { agent_name: 'a', ...fields }));

async function read(portions: AsyncIterable<string> | null): Promise<string> {
  let text = '';
  for await (const portion of portions ?? []) text += portion;
  return text;
}

/** Each has a port to its thread. */
const threads = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'MessagePort').length;

t.test('the thread is begun with the first question, and ends with the handle', async (t) => {
  const before = threads();
  const { queries } = open(t, { backend: await sqliteLog(t, rows(3)) });
  t.equal(threads(), before);
  t.match(JSON.parse((await queries.ask(STATS, somebody(), forever)) ?? ''), { statistics: { total_interactions: 3 } });
  t.ok(threads() > before);
  await queries.close();
  t.equal(threads(), before);
  await t.rejects(queries.ask(STATS, somebody(), forever), { code: 'SHUTTING_DOWN' });
  await queries.close();
});

t.test('questions of all kinds at once are answered, each with its own', async (t) => {
  const { queries } = open(t, { backend: await sqliteLog(t, rows(40)) });
  const ids = rows(40).map((record) => record.interaction_id);
  const one = ids.map((interactionId) => queries.ask({ type: 'one', filter: EVERYTHING, interactionId }, somebody(), forever));
  const pages = [3, 5].map((limit) => queries.list({ ...PAGE, limit }, somebody(), forever));
  const answers = await Promise.all(one);
  t.strictSame(answers.map((json) => JSON.parse(json ?? '').interaction_id), ids);
  for (const [index, limit] of [3, 5].entries()) {
    const { total, logs } = JSON.parse(await read((await pages[index]) ?? null));
    t.match({ total, length: logs.length }, { total: 40, length: limit });
  }
  t.equal(await queries.ask({ type: 'one', filter: EVERYTHING, interactionId: 'unknown' }, somebody(), forever), null);
  t.equal(await queries.list({ type: 'session', filter: { ...EVERYTHING, sessionId: 'x' }, sessionId: 'x' }, somebody(), forever), null);
  t.equal(await read(await queries.list({ ...EXPORT, filter: { ...EVERYTHING, agentName: 'nobody' } }, somebody(), forever)), '', 'an export of nothing');
});

t.test('50,000 rows go to a reader that takes its time in bounded memory, others are answered meanwhile', async (t) => {
  const text = 'x'.repeat(4000);
  const backend = await sqliteLog(t, rows(50_000, { input_message: text, session_id: 's' }));
  const { queries } = open(t, { backend });
  await queries.ask(STATS, somebody(), forever);
  const before = process.memoryUsage.rss();
  let most = 0;
  let bytes = 0;
  let last = '';
  let lines = 0;
  let portions = 0;
  for await (const portion of (await queries.list(EXPORT, somebody(), forever)) ?? []) {
    bytes += portion.length;
    lines += portion.split('\n').length - 1;
    last = portion;
    portions += 1;
    if (portions % 100 === 0) t.match(await queries.ask({ type: 'one', filter: EVERYTHING, interactionId: knownRecord(7).interaction_id }, somebody(), forever), /^\{/);
    most = Math.max(most, process.memoryUsage.rss() - before);
  }
  t.equal(lines, 50_000);
  t.ok(bytes > 200_000_000 && last.endsWith('\n'));
  t.ok(most < 150_000_000, `${most} bytes more than before`);
});

t.test('a reader that stops, leaves or goes away does not keep others waiting', async (t) => {
  const { queries } = open(t, { backend: await sqliteLog(t, rows(3000, { input_message: 'x'.repeat(1000) })) });
  const stopped = await queries.list(EXPORT, somebody(), forever);
  for await (const _ of (await queries.list(EXPORT, somebody(), forever)) ?? []) break;
  const gone = new AbortController();
  const aborted = await queries.list(EXPORT, somebody(), gone.signal);
  gone.abort(new Error('gone'));
  await t.rejects(read(aborted), { message: 'gone' });
  t.match(await queries.ask(STATS, somebody(), forever), /"total_interactions":3000/);
  t.equal((await read(stopped)).split('\n').length - 1, 3000, 'the one that stopped goes on');
  const before = new AbortController();
  before.abort(new Error('before'));
  await t.rejects(queries.ask(STATS, somebody(), before.signal), { message: 'before' });
});

/** Of the agent `slow` there is a row whose response time takes a second or more to be read. */
async function slowLog(t: Test): Promise<LogBackend> {
  const backend = await sqliteLog(t, [...rows(5), knownRecord(6, { agent_name: 'slow' })]);
  const db = new DatabaseSync(backend.file);
  const columns = (db.prepare('SELECT name FROM pragma_table_xinfo(?)').all('chat_logs') as { name: string }[]).map(({ name }) => `"${name}"`);
  const counting = '(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500000 + length(interaction_id)) SELECT max(i) FROM n)';
  const made = columns.map((name) => (name === '"response_time_ms"' ? `CASE WHEN agent_name = 'slow' THEN ${counting} ELSE response_time_ms END AS ${name}` : name));
  db.exec(`ALTER TABLE chat_logs RENAME TO kept; CREATE VIEW chat_logs AS SELECT ${made.join(', ')} FROM kept`);
  db.close();
  return backend;
}

const slowly = (queries: Queries, signal = forever): Promise<string | null> => queries.ask({ ...STATS, filter: SLOW }, somebody(), signal);

t.test('a statement that takes too long ends with its thread; what others asked is asked again', async (t) => {
  const { queries, lines } = open(t, { backend: await slowLog(t), statementTimeoutMs: 400 });
  const listing = await queries.list(PAGE, somebody(), forever);
  const slow = slowly(queries);
  const others = [queries.ask(STATS, somebody(), forever), queries.ask({ type: 'one', filter: EVERYTHING, interactionId: 'unknown' }, somebody(), forever)];
  await t.rejects(slow, { code: 'LOG_TIMEOUT', status: 504 });
  t.match(await others[0], /"total_interactions":5/);
  t.equal(await others[1], null);
  t.match(JSON.parse(await read(listing)), { total: 5 }, 'what had come whole is whole');
  t.equal(lines.filter((line) => line.includes('its thread is replaced')).length, 1);
});

t.test('no more threads are begun beside those that are held up', async (t) => {
  const { queries } = open(t, { backend: await slowLog(t), statementTimeoutMs: 100 });
  for (let held = 0; held < 2; held += 1) await t.rejects(slowly(queries), { code: 'LOG_TIMEOUT' });
  await t.rejects(queries.ask(STATS, somebody(), forever), { code: 'LOG_BUSY', status: 503 });
  const answer = await waitFor('one of them to end', () => queries.ask(STATS, somebody(), forever).catch(() => null), 60_000);
  t.match(answer, /"total_interactions":5/);
});

t.test('who waits too long for a turn is told, and so is whoever comes when too many wait', async (t) => {
  const { queries } = open(t, { backend: await slowLog(t), statementTimeoutMs: 60_000, waitTimeoutMs: 2000 });
  await queries.ask(STATS, somebody(), forever);
  const slow = slowly(queries);
  const waiting = Array.from({ length: 71 }, () => queries.ask(STATS, somebody(), forever).catch((error: unknown) => error));
  await t.rejects(queries.ask(STATS, somebody(), forever), { code: 'LOG_BUSY', status: 503 }, 'one too many');
  for (const error of await Promise.all(waiting)) t.match(error, { code: 'LOG_BUSY' });
  t.match(await slow, /"total_interactions":1/, 'the one whose turn it is goes on');
  t.match(await queries.ask(STATS, somebody(), forever), /"total_interactions":5/);
});

t.test('readers of listings leave room for other questions', async (t) => {
  const { queries } = open(t, { backend: await sqliteLog(t, rows(2000, { input_message: 'x'.repeat(1000) })) });
  const readers = await Promise.all(Array.from({ length: 48 }, () => queries.list(EXPORT, somebody(), forever)));
  await t.rejects(queries.list(PAGE, somebody(), forever), { code: 'LOG_BUSY' });
  t.match(await queries.ask(STATS, somebody(), forever), /"total_interactions":2000/);
  for (const reader of readers) for await (const _ of reader ?? []) break;
  t.ok(await waitFor('room for a page', () => queries.list(PAGE, somebody(), forever).catch(() => null)));
});

t.test('a question that nobody waits for any more is not asked', async (t) => {
  const { queries } = open(t, { backend: await slowLog(t), statementTimeoutMs: 60_000 });
  await queries.ask(STATS, somebody(), forever);
  const gone = new AbortController();
  const first = slowly(queries);
  const abandoned = Array.from({ length: 20 }, () => slowly(queries, gone.signal));
  gone.abort(new Error('gone'));
  for (const question of abandoned) await t.rejects(question, { message: 'gone' });
  const began = performance.now();
  await first;
  const took = performance.now() - began;
  await queries.ask(STATS, somebody(), forever);
  t.ok(performance.now() - began < 3 * took + 2000, 'the next one waits for the first alone');
});

t.test('a thread that breaks is begun again, twice for a question', async (t) => {
  const { queries, lines } = open(t, { backend: { type: 'postgres', url: 'no URL, and a secret' } });
  await t.rejects(queries.ask(STATS, somebody(), forever), { code: 'LOG_UNAVAILABLE', status: 503 });
  await t.rejects(queries.list(PAGE, somebody(), forever), { code: 'LOG_UNAVAILABLE' });
  t.equal(lines.filter((line) => line.includes('the thread that reads the log broke')).length, 4);
  t.notMatch(lines.join(''), 'secret');
});

t.test('the end of the server is told to whoever waits', async (t) => {
  const { queries } = open(t, { backend: await slowLog(t) });
  const question = slowly(queries);
  const refused = t.rejects(question, { code: 'SHUTTING_DOWN' });
  const began = performance.now();
  await queries.close();
  await refused;
  t.ok(performance.now() - began < 5000, 'whatever the thread does');
});

nothingIsLeft(t);
