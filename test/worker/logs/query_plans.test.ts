// How PostgreSQL goes about the questions to the log: no filter makes it read the whole table.
import t from 'tap';
import type { LogFilter } from '../../../shared/log_protocol.ts';
import { POSTGRES } from '../../../worker/logs/postgres_dialect.ts';
import { statementsOf, type Statement } from '../../../worker/logs/query_statements.ts';
import { EVERYTHING, postgresLog } from '../../helpers/log_rows.ts';
import { nothingIsLeft } from '../../helpers/leftovers.ts';

const FILTERS: Readonly<Record<string, Partial<LogFilter>>> = {
  everything: {},
  session: { sessionId: 'session-17' },
  user: { userId: 'user-7' },
  endpoint: { endpoint: '/chat' },
  'status of most': { status: 'success' },
  'status of few': { status: 'timeout' },
  'from a date': { startDate: '2026-01-30T00:00:00.000Z' },
  'between dates': { startDate: '2026-01-03T00:00:00.000Z', endDate: '2026-01-09T00:00:00.000Z' },
  owner: { owner: 'token:1' },
  'owner and status': { owner: 'token:1', status: 'success' },
  'owner and endpoint': { owner: 'token:1', endpoint: '/chat' },
  'user and status': { userId: 'user-7', status: 'error' },
  'endpoint and status': { endpoint: '/chat', status: 'success' },
};

/** What /logs/stats can be asked for. */
const IN_STATISTICS: readonly string[] = ['everything', 'user', 'from a date', 'between dates', 'owner'];

t.test('each filter is looked up in an index, for its total, its page, its keys and its statistics', async (t) => {
  const log = await postgresLog(t, []);
  if (log === null) return;
  const { server } = log;
  // One owner has half of all rows, as a service does.
  await server.query(`
    INSERT INTO chat_logs (interaction_id, "timestamp", agent_name, session_id, user_id, owner, endpoint, input_message, request_headers, response_time_ms, status)
    SELECT gen_random_uuid()::text, timestamptz '2026-01-01 00:00Z' + i * interval '1 minute', 'a', 'session-' || i % 2500, 'user-' || i % 200,
      CASE WHEN i % 2 = 0 THEN 'token:1' ELSE 'user:' || i % 200 END, CASE WHEN i % 3 = 0 THEN '/chat' ELSE '/chat/stream' END, repeat('x', 600), '{}', i % 997,
      CASE WHEN i % 100 = 0 THEN 'timeout' WHEN i % 25 = 0 THEN 'error' ELSE 'success' END
    FROM generate_series(1, 50000) AS i`);
  await server.query('VACUUM (ANALYZE) chat_logs');
  const statements = statementsOf(POSTGRES);
  for (const [name, members] of Object.entries(FILTERS)) {
    const filter = { ...EVERYTHING, ...members };
    const walk = { filter, oldestFirst: false, limit: 100 };
    const asked: Readonly<Record<string, Statement>> = {
      count: statements.count(filter),
      page: statements.page({ ...walk, offset: 0 }),
      keys: statements.keys({ ...walk, after: { timestamp: '2026-01-20T00:00:00.000000Z', interactionId: '5', bytes: 1 } }),
      ...(IN_STATISTICS.includes(name) ? { days: statements.days(filter), percentiles: statements.percentiles(filter), unique: statements.unique(filter) } : {}),
    };
    for (const [kind, { text, values }] of Object.entries(asked)) {
      const plan = JSON.stringify(await server.query(`EXPLAIN (FORMAT JSON) ${text}`, values));
      t.ok(!plan.includes('Seq Scan') && plan.includes('"Index Name":"chat_logs_'), `${name}: ${kind}`, { plan });
    }
  }
});

nothingIsLeft(t);
