// What is asked of the log and what it answers: each question to either database, against rows whose answers are worked out in the test.
import t, { type Test } from 'tap';
import type { LogFilter, LogListing } from '../../../shared/log_protocol.ts';
import type { LogRecord, LogRow } from '../../../shared/log_record.ts';
import { listingOf } from '../../../worker/logs/query_listing.ts';
import { postgresQueries } from '../../../worker/logs/query_postgres.ts';
import { sqliteQueries } from '../../../worker/logs/query_sqlite.ts';
import type { Asker, QueryDatabase, QueryError } from '../../../worker/logs/query_database.ts';
import { jsonOfRow } from '../../../worker/logs/row_text.ts';
import { statsJson, userStatsJson } from '../../../worker/logs/statistics_json.ts';
import { compare, daysOf, EVERYTHING, figuresOf, knownRecord, matching, postgresLog, sqliteLog } from '../../helpers/log_rows.ts';
import { makeFolder } from '../../helpers/folder.ts';
import { parseCsv } from '../../helpers/csv.ts';

const MOMENT = '2026-05-01T00:00:00.000Z';
/** More than are read at once, all of one moment. */
const CROWD = Array.from({ length: 2300 }, (_, index) => knownRecord(10_000 + index, { agent_name: 'crowd', session_id: 'crowd', timestamp: MOMENT }));
/** Together more than a number can say exactly. */
const HUGE = [20_000, 20_001].map((number) => knownRecord(number, { agent_name: 'huge', total_tokens: Number.MAX_SAFE_INTEGER }));
const RECORDS: readonly LogRecord[] = [...Array.from({ length: 260 }, (_, number) => knownRecord(number)), ...CROWD, ...HUGE];

const filter = (fields: Partial<LogFilter>): LogFilter => ({ ...EVERYTHING, ...fields });
/** Each filter alone, several together, and some that nothing fits. */
const FILTERS: Readonly<Record<string, LogFilter>> = {
  everything: EVERYTHING,
  'another agent': filter({ agentName: 'b' }),
  'no such agent': filter({ agentName: 'c' }),
  session: filter({ sessionId: 'session 3' }),
  user: filter({ userId: 'user-2' }),
  owner: filter({ owner: 'anonymous' }),
  endpoint: filter({ endpoint: '/chat/stream' }),
  success: filter({ status: 'success' }),
  interrupted: filter({ status: 'interrupted' }),
  'not before': filter({ startDate: '2026-03-30T00:00:00.000Z' }),
  before: filter({ endDate: '2026-03-30T00:00:00.000Z' }),
  'a day': filter({ startDate: '2026-03-29T00:00:00.000Z', endDate: '2026-03-30T00:00:00.000Z' }),
  // The moment of a row: inclusive at the start, exclusive at the end.
  'from a row to another': filter({ startDate: knownRecord(20).timestamp, endDate: knownRecord(40).timestamp }),
  'endpoint and status': filter({ endpoint: '/chat', status: 'error' }),
  'user, status and time': filter({ userId: 'user-1', status: 'success', startDate: '2026-03-29T12:00:00.000Z' }),
  'all of them': filter({ owner: 'user:user-2', sessionId: 'session 6', userId: 'user-2', endpoint: '/chat/stream', status: 'error', startDate: '2026-03-28T00:00:00.000Z', endDate: '2027-01-01T00:00:00.000Z' }),
  "another owner's session": filter({ owner: 'user:user-9', sessionId: 'session 6' }),
};

const asker: Asker = { begin: () => undefined, end: () => undefined, signal: new AbortController().signal };

const text = async (db: QueryDatabase, listing: LogListing): Promise<string | null> => {
  const texts = await listingOf(db, listing, asker);
  if (texts === null) return null;
  let whole = '';
  for await (const piece of texts) whole += piece;
  return whole;
};
const page = async (db: QueryDatabase, which: LogFilter, limit = 1000, offset = 0): Promise<{ total: number; limit: number; offset: number; logs: LogRow[] }> =>
  JSON.parse((await text(db, { type: 'page', filter: which, limit, offset })) ?? '');
const idsOf = (rows: readonly { readonly interaction_id: string }[]): string[] => rows.map((row) => row.interaction_id);

/** The row as it has to be answered; it was written a moment ago. */
function isRowOf(t: Test, row: LogRow | undefined, record: LogRecord): void {
  const { owner: _, ...expected } = record;
  const { created_at: createdAt = '', ...others } = row ?? ({} as Partial<LogRow>);
  t.strictSame(others, expected);
  t.strictSame([...Object.keys(expected), 'created_at'], Object.keys(row ?? {}), 'in the order of the columns');
  t.match(createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  t.ok(Math.abs(Date.parse(createdAt) - Date.now()) < 3_600_000);
}

/** They are rounded to 0.001, after sums in another order. */
function areFigures(t: Test, actual: Readonly<Record<string, unknown>>, expected: Readonly<Record<string, unknown>>, message: string): void {
  t.strictSame(Object.keys(actual).toSorted(), Object.keys(expected).toSorted(), message);
  for (const [name, value] of Object.entries(expected)) {
    const shown = actual[name];
    if (typeof value === 'number' && typeof shown === 'number') t.ok(Math.abs(shown - value) <= 0.000_6, `${message}: ${name} is ${shown}, expected ${value}`);
    else t.strictSame(shown, value, `${message}: ${name}`);
  }
}

function answersOf(t: Test, db: QueryDatabase): void {
  t.test('a page has those that match, newest first, and the exact total', async (t) => {
    for (const [name, which] of Object.entries(FILTERS)) {
      const expected = matching(RECORDS, which).reverse();
      const whole = await page(db, which);
      t.strictSame(idsOf(whole.logs), idsOf(expected), name);
      t.match(whole, { total: expected.length, limit: 1000, offset: 0 }, name);
      const part = await page(db, which, 7, 3);
      t.strictSame(idsOf(part.logs), idsOf(expected.slice(3, 10)), name);
      t.match(part, { total: expected.length, limit: 7, offset: 3 }, name);
    }
    t.ok(Object.values(FILTERS).filter((which) => matching(RECORDS, which).length > 0).length > 12, 'most filters fit something');
    t.strictSame((await page(db, EVERYTHING, 10, 10_000_000)).logs, []);
  });

  t.test('a page beyond the middle is the same part of the whole, down to the last row', async (t) => {
    for (const which of [EVERYTHING, filter({ agentName: 'crowd' }), filter({ endpoint: '/chat', status: 'success' })]) {
      const expected = idsOf(matching(RECORDS, which).reverse());
      const { length } = expected;
      for (const offset of [Math.trunc(length / 2) - 1, Math.trunc(length / 2), length - 11, length - 10, length - 3, length - 1, length, length + 1]) {
        const part = await page(db, which, 10, offset);
        t.strictSame(idsOf(part.logs), expected.slice(offset, offset + 10), `${offset} of ${length}`);
        t.equal(part.total, length);
      }
    }
  });

  t.test('a row has what the record had, but for its owner', async (t) => {
    const { logs } = await page(db, EVERYTHING);
    for (const record of matching(RECORDS, EVERYTHING)) isRowOf(t, logs.find((row) => row.interaction_id === record.interaction_id), record);
  });

  t.test('one row is found by its id, within what the filter shows', async (t) => {
    const record = knownRecord(1);
    const row = await db.one(EVERYTHING, record.interaction_id, asker);
    isRowOf(t, row === null ? undefined : JSON.parse(jsonOfRow(row)), record);
    t.ok(await db.one(filter({ owner: record.owner }), record.interaction_id, asker));
    t.equal(await db.one(filter({ owner: 'user:user-4' }), record.interaction_id, asker), null, "another's");
    t.equal(await db.one(filter({ agentName: 'b' }), record.interaction_id, asker), null, "another agent's");
    t.equal(await db.one(EVERYTHING, knownRecord(5000).interaction_id, asker), null, 'unknown');
  });

  t.test('figures of an agent that cannot be true end no question', async (t) => {
    const huge = filter({ agentName: 'huge' });
    t.equal(JSON.parse(statsJson('huge', await db.stats(huge, asker))).statistics.total_tokens_sum, 2 * Number.MAX_SAFE_INTEGER);
    t.equal((await page(db, huge)).logs[0]?.total_tokens, Number.MAX_SAFE_INTEGER);
  });

  t.test('a session has all its rows, oldest first, however many and of one moment', async (t) => {
    const session = async (which: LogFilter) => JSON.parse((await text(db, { type: 'session', filter: which, sessionId: which.sessionId ?? '' })) ?? 'null');
    for (const which of [filter({ sessionId: 'session 3' }), filter({ agentName: 'crowd', sessionId: 'crowd' })]) {
      const expected = matching(RECORDS, which);
      const { logs, ...rest } = await session(which);
      t.strictSame(rest, { session_id: which.sessionId, total: expected.length });
      t.strictSame(idsOf(logs), idsOf(expected));
    }
    t.equal(await session(filter({ sessionId: 'no such session' })), null);
    t.equal(await session(filter({ sessionId: 'session 3', owner: 'nobody' })), null);
  });

  t.test('an export has all that match, newest first', async (t) => {
    for (const which of [FILTERS['user'] ?? EVERYTHING, EVERYTHING, filter({ agentName: 'crowd' }), filter({ agentName: 'c' })]) {
      const expected = matching(RECORDS, which).reverse();
      const jsonl = (await text(db, { type: 'export', filter: which, format: 'jsonl' })) ?? '';
      const rows = jsonl.split('\n').slice(0, -1).map((line) => JSON.parse(line) as LogRow);
      t.strictSame(idsOf(rows), idsOf(expected));
      if (which === EVERYTHING) expected.forEach((record, index) => isRowOf(t, rows[index], record));
      const [header = [], ...lines] = parseCsv((await text(db, { type: 'export', filter: which, format: 'csv' })) ?? '');
      const { owner: _, ...names } = knownRecord(0);
      t.strictSame(header, [...Object.keys(names), 'created_at']);
      t.strictSame(lines.map(([id]) => id), idsOf(expected));
    }
  });

  t.test('a field of CSV is what the row has, with an apostrophe before what would be a formula', async (t) => {
    const [header = [], ...lines] = parseCsv((await text(db, { type: 'export', filter: EVERYTHING, format: 'csv' })) ?? '');
    let formulas = 0;
    for (const line of lines) {
      const record = RECORDS.find(({ interaction_id: id }) => id === line[0]) as unknown as Readonly<Record<string, unknown>>;
      header.forEach((name, column) => {
        if (name === null || name === 'created_at') return;
        const value = record[name];
        const field = line[column];
        if (value === null) t.equal(field, null, name);
        else if (typeof value === 'object') t.strictSame(JSON.parse(field ?? ''), value, name);
        else if (typeof value === 'string' && /^[=+\-@\t]/.test(value)) {
          formulas += 1;
          t.equal(field, `'${value}`, name);
        } else t.equal(field, String(value), name);
      });
    }
    t.ok(formulas > 50);
  });

  t.test('the statistics are those of the rows', async (t) => {
    for (const [name, which] of Object.entries(FILTERS)) {
      const expected = matching(RECORDS, which);
      const { statistics, ...rest } = JSON.parse(statsJson(which.agentName, await db.stats(which, asker)));
      t.strictSame(rest, { agent_name: which.agentName, database_active: true });
      const { by_day: byDay, ...figures } = statistics;
      areFigures(t, figures, figuresOf(expected), name);
      const days = daysOf(expected);
      t.equal(byDay.length, days.length, name);
      days.forEach((day, index) => areFigures(t, byDay[index], day, name));
      t.equal(figures.successful_interactions + figures.failed_interactions + figures.partial_interactions, figures.total_interactions);
    }
  });

  t.test('the statistics by user are those of each, the busiest first', async (t) => {
    for (const which of [EVERYTHING, FILTERS['a day'] ?? EVERYTHING, FILTERS['owner'] ?? EVERYTHING, filter({ agentName: 'c' })]) {
      const groups = [...Map.groupBy(matching(RECORDS, which), (record) => record.user_id)];
      const expected = groups.toSorted(([a, those], [b, others]) => others.length - those.length || compare(a, b));
      const { user_statistics: users, ...rest } = JSON.parse(userStatsJson('a', await db.userStats(which, asker)));
      t.strictSame(rest, { agent_name: 'a', database_active: true, total_users: groups.length });
      t.strictSame(users.map((user: { user_id: string }) => user.user_id), expected.map(([user]) => user));
      expected.forEach(([user, those], index) => {
        const { unique_users: _, ...figures } = figuresOf(those);
        areFigures(t, users[index], { user_id: user, ...figures }, user);
      });
    }
  });

  t.test('a statement in a value is a value', async (t) => {
    const statements = [
      "' OR '1'='1", "'; DROP TABLE chat_logs; --", '"; DELETE FROM chat_logs; --', "a' UNION SELECT * FROM chat_logs --", '$1', '?1', '%', '_', '\\', "\\'; --", '1) OR (1=1',
    ];
    for (const value of statements) {
      for (const key of ['agentName', 'owner', 'sessionId', 'userId', 'endpoint', 'status'] as const) {
        const which = { ...EVERYTHING, [key]: value } as LogFilter;
        t.strictSame(await page(db, which, 10), { total: 0, limit: 10, offset: 0, logs: [] }, `${key}: ${value}`);
        t.match(await db.stats(which, asker), { totals: { total_interactions: 0 }, days: [] });
        t.match(await db.userStats(which, asker), { total: 0, users: [] });
        t.equal(await text(db, { type: 'export', filter: which, format: 'jsonl' }), '');
      }
      t.equal(await db.one(EVERYTHING, value, asker), null);
      for (const key of ['startDate', 'endDate'] as const) {
        // What is no time is refused by PostgreSQL; the routes let none through.
        await page(db, { ...EVERYTHING, [key]: value }).catch((error: unknown) => t.match(error, { name: 'QueryError', reason: 'failed' }));
      }
    }
    t.equal((await page(db, EVERYTHING)).total, matching(RECORDS, EVERYTHING).length, 'everything is there');
  });

  t.test('a filter has no other keys than those that the code knows', async (t) => {
    const injected = { ...EVERYTHING, "1=1 OR 'a'": 'x', toString: 'x', __proto__: { x: 'y' }, 'agent_name = agent_name --': null } as LogFilter;
    t.equal((await page(db, injected)).total, matching(RECORDS, EVERYTHING).length);
  });
}

t.test('SQLite', async (t) => {
  const { file } = await sqliteLog(t, RECORDS);
  answersOf(t, sqliteQueries(file));
});

t.test('PostgreSQL', async (t) => {
  const log = await postgresLog(t, RECORDS);
  if (log === null) return;
  answersOf(t, postgresQueries(log.url, 10_000));
});

t.test('a logs.db that is not there yet is a log without rows, and is there once it is', async (t) => {
  const folder = await makeFolder(t, { 'empty.db': '' });
  for (const name of ['none.db', 'empty.db']) {
    const db = sqliteQueries(`${folder}/${name}`);
    t.strictSame(await page(db, EVERYTHING), { total: 0, limit: 1000, offset: 0, logs: [] });
    t.equal(await db.one(EVERYTHING, knownRecord(1).interaction_id, asker), null);
    t.equal(await text(db, { type: 'session', filter: filter({ sessionId: 's' }), sessionId: 's' }), null);
    areFigures(t, JSON.parse(statsJson('a', await db.stats(EVERYTHING, asker))).statistics, { ...figuresOf([]), by_day: [] }, name);
    t.match(await db.userStats(EVERYTHING, asker), { total: 0, users: [] });
  }
  const { file } = await sqliteLog(t, RECORDS);
  t.ok((await page(sqliteQueries(file), EVERYTHING)).total > 0);
});

t.test('a file that is no database is told, without its path', async (t) => {
  const folder = await makeFolder(t, { 'logs.db': 'not a database at all, though it is long enough to be looked at'.repeat(100) });
  const failed = await page(sqliteQueries(`${folder}/logs.db`), EVERYTHING).catch((error: unknown) => error);
  t.match(failed, { reason: 'unavailable' });
  t.notMatch((failed as QueryError).message, folder);
});
