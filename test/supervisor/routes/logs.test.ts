// The routes of mode logs: what their parameters come to, whose rows they ask for, and how answers and failures leave.
import { randomUUID } from 'node:crypto';
import { get, type IncomingMessage } from 'node:http';
import { pino } from 'pino';
import t from 'tap';
import { MODES, type Config } from '../../../shared/config.ts';
import { AppError } from '../../../shared/errors.ts';
import type { LogFilter, LogListing, LogQuestion } from '../../../shared/log_protocol.ts';
import { ADMIN, ANYBODY, LOCAL, type Caller } from '../../../supervisor/access/caller.ts';
import { impliedScopes } from '../../../supervisor/access/scopes.ts';
import type { App } from '../../../supervisor/app.ts';
import { createHttpServer } from '../../../supervisor/http/server.ts';
import { logRoutes } from '../../../supervisor/routes/logs.ts';
import { send, type Answer } from '../../helpers/http_client.ts';
import { nothingIsLeft } from '../../helpers/leftovers.ts';
import { waitFor } from '../../helpers/wait_for.ts';

type Question = LogQuestion | LogListing;

const CONFIG = { agent: 'agents/my agent.yaml', allowedOrigins: [], allowedModes: new Set(MODES), keepAliveMs: 1000, trustedProxies: [] } as unknown as Config;
const ID = '11111111-2222-4333-8444-55555555555a';
const ALICE: Caller = { id: 'user:alice', scopes: impliedScopes(['logs']), userId: 'alice', token: null };

const asked: Question[] = [];
const signals: AbortSignal[] = [];
let answer: (question: Question) => Promise<unknown> = async () => null;
const callers: string[] = [];
const ask = (question: Question, callerId: string, signal: AbortSignal): Promise<unknown> => {
  asked.push(question);
  callers.push(callerId);
  signals.push(signal);
  return answer(question);
};
let logs: unknown = { queries: { ask, list: ask } };
let caller: Caller = LOCAL;

const app = {
  config: CONFIG,
  get logs() {
    return logs;
  },
} as unknown as App;
const lines: string[] = [];
const http = createHttpServer({
  config: CONFIG,
  routes: logRoutes(app),
  authenticate: () => caller,
  limits: { rate: () => undefined },
  log: pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) }),
  onResponse: () => undefined,
});
const url = `http://127.0.0.1:${await http.listen({ port: 0, host: '127.0.0.1' })}`;

async function* portionsOf(...portions: readonly string[]): AsyncGenerator<string> {
  yield* portions;
}

const EVERYTHING: LogFilter = {
  agentName: 'agents/my agent.yaml', owner: null, sessionId: null, userId: null, endpoint: null, status: null, startDate: null, endDate: null,
};
/** Asks, and gives what the log was asked. */
const questionOf = async (path: string): Promise<Question | undefined> => {
  asked.length = 0;
  answer = async (question) => ('interactionId' in question || question.type.endsWith('stats') ? '{}' : portionsOf('{}'));
  t.equal((await send(url, path)).status, 200, path);
  return asked[0];
};

t.test('without parameters the newest hundred rows are asked for', async (t) => {
  t.strictSame(await questionOf('/logs'), { type: 'page', filter: EVERYTHING, limit: 100, offset: 0 });
});

t.test('a parameter that there is not is refused, with the one that was probably meant', async (t) => {
  for (const path of ['/logs', '/logs/stats', '/logs/stats/users']) {
    const message = 'unknown parameter; did you mean user_id?';
    const { status, json } = await send(url, `${path}?usr_id=ada`);
    t.match({ status, json }, { status: 422, json: { code: 'VALIDATION_FAILED', detail: `usr_id: ${message}`, errors: [{ path: 'usr_id', message }] } });
  }
  for (const query of ['LIMIT=5', 'owner=bob', 'agentName=b']) t.equal((await send(url, `/logs?${query}`)).status, 422, query);
  for (const path of ['/logs/sessions/s', `/logs/interactions/${randomUUID()}`]) {
    t.match(await send(url, `${path}?limit=5`), { status: 422, json: { detail: 'limit: unknown parameter; there are none' } });
  }
  const far = await send(url, '/logs/stats?xyz=1&xyz=2');
  t.match(far, { status: 422, json: { detail: 'xyz: unknown parameter; known are user_id, start_date, end_date', errors: { length: 1 } } });
});

t.test('the log is told whose question it is', async (t) => {
  callers.length = 0;
  await questionOf('/logs');
  caller = ALICE;
  await questionOf('/logs/stats');
  caller = LOCAL;
  t.strictSame(callers, [LOCAL.id, ALICE.id]);
});

t.test('each parameter comes to what it says', async (t) => {
  const day = (text: string): string => new Date(text).toISOString();
  const cases: readonly (readonly [query: string, expected: Partial<LogFilter> & { limit?: number; offset?: number }])[] = [
    ['session_id=a%20b%26c', { sessionId: 'a b&c' }], ['user_id=Zo%C3%AB', { userId: 'Zoë' }], ['endpoint=/chat/stream', { endpoint: '/chat/stream' }],
    ['status=interrupted', { status: 'interrupted' }], ['limit=1', { limit: 1 }], ['limit=1000&offset=10000000', { limit: 1000, offset: 10_000_000 }],
    ['start_date=2026-03-29', { startDate: '2026-03-29T00:00:00.000Z' }],
    ['end_date=2026-03-29', { endDate: '2026-03-30T00:00:00.000Z' }],
    ['end_date=2026-12-31', { endDate: '2027-01-01T00:00:00.000Z' }],
    ['start_date=2024-02-29', { startDate: '2024-02-29T00:00:00.000Z' }],
    ['start_date=2026-03-29T08:30:00Z', { startDate: '2026-03-29T08:30:00.000Z' }],
    ['end_date=2026-03-29T08:30:00.250Z', { endDate: '2026-03-29T08:30:00.250Z' }],
    ['start_date=2026-03-29T08:30', { startDate: '2026-03-29T08:30:00.000Z' }],
    ['start_date=2026-03-29T08:30:00', { startDate: '2026-03-29T08:30:00.000Z' }],
    ['start_date=2026-03-29T08:30:00%2B02:00', { startDate: day('2026-03-29T06:30:00Z') }],
    ['start_date=2026-03-29T08:30:00+02:00', { startDate: day('2026-03-29T06:30:00Z') }],
    ['end_date=2026-03-29T08:30:00-05:30', { endDate: day('2026-03-29T14:00:00Z') }],
    ['start_date=0001-01-01&end_date=9999-12-31', { startDate: '1970-01-01T00:00:00.000Z', endDate: '9999-12-31T23:59:59.999Z' }],
    ['start_date=2026-01-02&end_date=2026-01-01', { startDate: '2026-01-02T00:00:00.000Z', endDate: '2026-01-02T00:00:00.000Z' }],
  ];
  for (const [query, { limit = 100, offset = 0, ...fields }] of cases) {
    t.strictSame(await questionOf(`/logs?${query}`), { type: 'page', filter: { ...EVERYTHING, ...fields }, limit, offset }, query);
  }
  const dates = { userId: 'u', startDate: '2026-03-29T00:00:00.000Z', endDate: '2026-03-30T00:00:00.000Z' };
  for (const [path, type] of [['/logs/stats', 'stats'], ['/logs/stats/users', 'user_stats']]) {
    t.strictSame(await questionOf(`${path}?user_id=u&start_date=2026-03-29&end_date=2026-03-29`), { type, filter: { ...EVERYTHING, ...dates } });
  }
});

const ID_TEXT = 'expected a string of 1–256 characters without controls';
const STATUS_TEXT = 'expected one of success, error, cancelled, timeout, interrupted';
const DATE_TEXT = 'expected a date or a date-time of ISO 8601, such as 2026-11-23 or 2026-11-23T08:30:00Z';
const LIMIT_TEXT = 'expected a whole number from 1 to 1000';
const OFFSET_TEXT = 'expected a whole number from 0 to 10000000';

t.test('a parameter that is not as it has to be is refused by its name, before the log is asked', async (t) => {
  const wrong: readonly (readonly [name: string, message: string, values: readonly string[]])[] = [
    ['session_id', ID_TEXT, ['', 'x'.repeat(257), 'a%00b', 'a%0Ab']], ['user_id', ID_TEXT, ['', 'a%07']], ['endpoint', ID_TEXT, ['']],
    ['status', STATUS_TEXT, ['', 'Success', 'queued', "'; DROP TABLE chat_logs; --"]],
    ['limit', LIMIT_TEXT, ['', '0', '1001', '-1', '1.5', '1e2', 'ten', '0x10', ' 5', '9999999999999999999', "1; DROP TABLE x"]],
    ['offset', OFFSET_TEXT, ['', '-1', '10000001', '1.5', 'x']],
    ['format', 'expected csv or jsonl', ['', 'json', 'CSV', 'xml']],
    ['start_date', DATE_TEXT, ['', 'yesterday', '2026', '2026-02-30', '2026-13-01', '20260101', '2026-01-01T25:00:00Z', '2026-01-01 00:00', '1767225600', "2026-01-01' OR '1'='1"]],
    ['end_date', DATE_TEXT, ['', '2026-00-10', '01/02/2026', '2026-01-01T00:00:00%2B25', '-1', 'infinity']],
  ];
  asked.length = 0;
  for (const [name, message, values] of wrong) {
    for (const value of values) {
      const { status, json } = await send(url, encodeURI(`/logs?${name}=${value}`).replaceAll('%25', '%'));
      t.match({ status, json }, { status: 422, json: { code: 'VALIDATION_FAILED', detail: `${name}: ${message}`, errors: [{ path: name, message }] } }, `${name}=${value}`);
    }
    const twice = await send(url, `/logs?${name}=1&${name}=1`);
    t.match(twice, { status: 422, json: { errors: [{ path: name, message: 'expected once' }] } });
  }
  t.match((await send(url, '/logs?limit=0&offset=x&status=y')).json, { errors: [{ path: 'status' }, { path: 'limit' }, { path: 'offset' }] });
  for (const path of ['/logs/stats', '/logs/stats/users']) {
    for (const query of ['user_id=', 'start_date=x', 'end_date=x']) t.equal((await send(url, `${path}?${query}`)).status, 422, `${path}?${query}`);
  }
  t.strictSame(asked, []);
});

t.test('with logs:all everybody\'s rows are asked for, else the caller\'s own, whatever is in the query', async (t) => {
  const paths = ['/logs?user_id=bob', '/logs?format=csv', '/logs/sessions/s', `/logs/interactions/${ID}`, '/logs/stats', '/logs/stats/users'];
  const callers: readonly (readonly [Caller, LogFilter['owner']])[] = [
    [ALICE, 'user:alice'], [{ ...ALICE, id: 'token:t1', userId: null }, 'token:t1'], [{ ...ALICE, scopes: impliedScopes(['logs:all']) }, null], [ADMIN, null], [LOCAL, null], [ANYBODY, null],
  ];
  for (const [each, owner] of callers) {
    caller = each;
    for (const path of paths) t.equal((await questionOf(path))?.filter.owner, owner, `${each.id}: ${path}`);
  }
  caller = LOCAL;
});

t.test('a session and an interaction are asked for by what is in the path', async (t) => {
  t.strictSame(await questionOf('/logs/sessions/a%2Fb%20%27%3B--'), { type: 'session', filter: { ...EVERYTHING, sessionId: "a/b ';--" }, sessionId: "a/b ';--" });
  t.strictSame(await questionOf(`/logs/interactions/${ID.toUpperCase()}`), { type: 'one', filter: EVERYTHING, interactionId: ID });
  answer = async () => null;
  t.match(await send(url, `/logs/interactions/${ID}`), { status: 404, json: { code: 'INTERACTION_NOT_FOUND' } });
  t.match(await send(url, '/logs/sessions/none'), { status: 404, json: { code: 'SESSION_NOT_FOUND' } });
  t.match(await send(url, '/logs/interactions/not-a-uuid'), { status: 404, json: { code: 'NOT_FOUND' } });
});

t.test('an answer leaves as it came, with its type', async (t) => {
  answer = async () => portionsOf('{"total":1,"logs":["', 'ü🙂'.repeat(100_000), '"]}');
  const page = await send(url, '/logs');
  t.match(page, { status: 200, headers: { 'content-type': 'application/json', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } });
  t.match(page.json, { total: 1, logs: [/^(ü🙂){100000}$/] });

  answer = async () => portionsOf('a,b\r\n', '1,2\r\n');
  const csv = await send(url, '/logs?format=csv&limit=1');
  const disposition = 'attachment; filename="agents_my_agent.yaml-logs.csv"';
  t.match(csv, { status: 200, text: 'a,b\r\n1,2\r\n', headers: { 'content-type': 'text/csv; charset=utf-8', 'content-disposition': disposition } });
  answer = async () => portionsOf();
  const jsonl = await send(url, '/logs?format=jsonl&status=error');
  t.match(jsonl, { status: 200, text: '', headers: { 'content-type': 'application/x-ndjson; charset=utf-8', 'content-disposition': /filename=".*\.jsonl"$/ } });
  t.match(asked.at(-1), { type: 'export', format: 'jsonl', filter: { status: 'error' } });

  answer = async () => '{"agent_name":"a"}';
  t.match(await send(url, '/logs/stats'), { status: 200, text: '{"agent_name":"a"}', headers: { 'content-length': '18' } });
});

t.test('HEAD has the head of GET, and lets go of the rest', async (t) => {
  let left = false;
  answer = async () =>
    (async function* () {
      try {
        yield 'one';
        yield 'two';
      } finally {
        left = true;
      }
    })();
  t.match(await send(url, '/logs', { method: 'HEAD' }), { status: 200, text: '', headers: { 'content-type': 'application/json' } });
  await waitFor('the listing to be left', () => left);
});

t.test('what the log cannot do is told', async (t) => {
  for (const path of ['/logs', '/logs?format=csv', '/logs/sessions/s', `/logs/interactions/${ID}`, '/logs/stats', '/logs/stats/users']) {
    for (const [code, status] of [['LOG_UNAVAILABLE', 503], ['LOG_BUSY', 503], ['LOG_TIMEOUT', 504], ['SHUTTING_DOWN', 503]] as const) {
      answer = async () => {
        throw new AppError(code);
      };
      const told: Answer = await send(url, path);
      t.match(told, { status, json: { code } });
      t.equal(told.headers['retry-after'], status === 503 ? '1' : undefined);
    }
    answer = async () => {
      throw new Error('secret of the database');
    };
    const failed = await send(url, path);
    t.match(failed, { status: 500, json: { code: 'INTERNAL' } });
    t.notMatch(failed.text, 'secret');
  }
});

t.test('a listing that breaks is cut off, so that nobody takes it for whole', async (t) => {
  answer = async () =>
    (async function* () {
      yield '{"total":2,"logs":[{}';
      throw new AppError('LOG_UNAVAILABLE');
    })();
  await t.rejects(send(url, '/logs'), { code: 'ECONNRESET' });
});

t.test('what a client has gone away from is asked for no longer', async (t) => {
  lines.length = 0;
  for (const path of ['/logs', '/logs/stats']) {
    signals.length = 0;
    answer = () => new Promise((_resolve, reject) => signals.at(-1)?.addEventListener('abort', () => reject(new Error('gone'))));
    const gone = new AbortController();
    const request = send(url, path, { signal: gone.signal });
    await waitFor('the question', () => signals.length === 1);
    gone.abort();
    await t.rejects(request, { name: 'AbortError' });
    await waitFor('it to be given up', () => signals[0]?.aborted);
  }
  t.strictSame(lines, [], 'and is no failure');
});

t.test('a slow reader sets the pace', async (t) => {
  let made = 0;
  let left = false;
  answer = async () =>
    (async function* () {
      try {
        for (; made < 10_000; made += 1) yield 'x'.repeat(64 * 1024);
      } finally {
        left = true;
      }
    })();
  const reader = await new Promise<IncomingMessage>((resolve) => get(`${url}/logs?format=jsonl`, { agent: false }, resolve));
  let before = -1;
  let same = 0;
  await waitFor('the server to wait for its reader', () => {
    same = made === before ? same + 1 : 0;
    before = made;
    return made > 0 && same === 20;
  });
  t.ok(made < 1000, `${made} portions`);
  reader.destroy();
  await waitFor('the listing to be left', () => left);
  t.ok(made < 1000);
});

t.test('without a log all of them say so', async (t) => {
  const kept = logs;
  logs = null;
  for (const path of ['/logs', '/logs?format=csv', '/logs/sessions/s', `/logs/interactions/${ID}`, '/logs/stats', '/logs/stats/users']) {
    const { status, json, headers } = await send(url, path);
    t.match({ status, code: json['code'] }, { status: 503, code: 'LOGGING_DISABLED' });
    t.equal(headers['retry-after'], undefined);
  }
  logs = kept;
});

t.test('the server ends', async (t) => {
  const closed = http.close();
  http.destroy();
  await closed;
  nothingIsLeft(t);
});
