// Requests that no honest client sends, on every route: each is refused in words, and the server is none the worse for it.
import t from 'tap';
import { send } from '../../helpers/http_client.ts';
import { exchange, head, type RawAnswer } from '../../helpers/raw_socket.ts';
import { endsCleanly, serve } from '../../helpers/serve.ts';

const server = await serve(t, 'quiet');
const { url } = server;
const ID = '11111111-2222-4333-8444-555555555555';
const JSON_TYPE = 'Content-Type: application/json';

const ROUTES = [
  'POST /chat', 'POST /chat/stream', 'POST /chat/with-files', 'POST /chat/stream/with-files', `GET /chat/${ID}`, `GET /chat/${ID}/stream`, `POST /chat/${ID}/cancel`, 'GET /chat/sessions/one',
  'DELETE /chat/sessions/one',
  'GET /agent/info', 'GET /prompts', 'GET /health', 'GET /ready', 'GET /status', 'GET /metrics', 'GET /docs', 'GET /docs/docs.js',
  'GET /openapi.json', 'GET /',
] as const;

function isRefused(answer: RawAnswer): boolean {
  if (answer.status < 400 || answer.status > 499) return false;
  if (!/content-type: application\/problem\+json/i.test(answer.head)) return false;
  const problem = JSON.parse(answer.body) as { status: number; detail: unknown };
  return problem.status === answer.status && typeof problem.detail === 'string';
}

/** The first of these requests that is not refused, shown with its answer; an empty text if each is. */
async function notRefused(requests: readonly string[]): Promise<string> {
  const answers = await Promise.all(requests.map(async (request) => ({ request, answer: await exchange(url, request) })));
  const wrong = answers.find(({ answer }) => !isRefused(answer));
  return wrong === undefined ? '' : `${JSON.stringify(wrong.request.slice(0, 120))} → ${wrong.answer.head.slice(0, 200)}`;
}

t.test('targets that are no path of ours', async (t) => {
  const targets = [
    '//', '//chat', '/chat//', '/%00', '/chat/%00', '/..', '/../chat', '/chat/..', '/chat/../status', '/./status', '/chat/%zz',
    '/chat/sessions/%zz', '/chat/sessions/%',
    '/chat/sessions/%e0%a4%a', '/chat/sessions/%ff', '/\\', '/chat\\stream', '/chat#x', '/%2e%2e/status', '/status/', '/status%20',
    '/chat/%2e%2e/status', '*', 'chat', '?', '',
    'http://evil.test/status', `${url}/status`, 'https:///status', 'status', `/${'a'.repeat(8000)}`, `/chat/${ID}0`, `/chat/{interaction_id}`,
    '/__proto__', '/constructor',
    '/chat/sessions/a%2f..%2f..%2fstatus/x', '/docs/../package.json', '/docs/%2e%2e/%2e%2e/package.json', '/docs/swagger-ui.css/..',
    '/docs/constructor', '/docs/__proto__',
  ];
  t.equal(await notRefused(targets.map((target) => head(`GET ${target} HTTP/1.1`))), '');
});

t.test('methods that are none, or not of the route', async (t) => {
  for (const method of ['BREW', 'get', 'TRACE', 'CONNECT', 'PROPFIND', 'PUT', 'PATCH', 'PURGE', 'SUBSCRIBE', 'QUERY', 'POST\u0000', '']) {
    t.equal(await notRefused(ROUTES.map((route) => head(`${method} ${route.split(' ')[1]} HTTP/1.1`))), '', method);
  }
  t.equal(await notRefused([head('CONNECT evil.test:443 HTTP/1.1'), head('OPTIONS * HTTP/1.1'), head('PRI * HTTP/2.0')]), '');
});

t.test('lines that break the protocol', async (t) => {
  for (const broken of [
    'Transfer-Encoding: chunked\r\nContent-Length: 5',
    'Content-Length: 5\r\nContent-Length: 6',
    'Content-Length: 5, 5',
    'Content-Length: -1',
    'Content-Length: +5',
    'Content-Length: 0x5',
    'Content-Length: 99999999999999999999',
    'Transfer-Encoding: chunked, identity',
    'Transfer-Encoding : chunked',
    'Bad Name: x',
    ': nameless',
    'No-Colon',
    'Nul: a\u0000b',
    'Bare: a\rb',
    ' Folded: x',
  ]) {
    t.equal(await notRefused(ROUTES.map((route) => head(`${route} HTTP/1.1`, JSON_TYPE, broken))), '', JSON.stringify(broken));
  }
});

t.test('bare line feeds, other versions, and what is no HTTP', async (t) => {
  const requests = ROUTES.flatMap((route) => [`${route} HTTP/1.1\nHost: localhost\n\n`, `${route} HTTP/3.0\r\n\r\n`, `${route} HTTP/1.1 x\r\n\r\n`]);
  t.equal(await notRefused([...requests, '\u0016\u0003\u0001\u0002\u0000\u0001\u0000', 'SSH-2.0-x\r\n', '{"message":"hi"}\r\n\r\n']), '');
});

t.test('heads that are too large', async (t) => {
  const large = [`X: ${'a'.repeat(20_000)}`, Array.from({ length: 2000 }, (_, index) => `X-${index}: ${index}`).join('\r\n')];
  for (const fields of large) {
    const answers = await Promise.all(ROUTES.map((route) => exchange(url, head(`${route} HTTP/1.1`, fields))));
    t.strictSame([...new Set(answers.map(({ status }) => status))], [431]);
    t.ok(answers.every(isRefused));
  }
});

t.test('one request hidden in another', async (t) => {
  const hidden = 'GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n';
  for (const smuggled of [
    head('POST /chat HTTP/1.1', JSON_TYPE, 'Content-Length: 2', 'Transfer-Encoding: chunked') + `0\r\n\r\n${hidden}`,
    head('POST /chat HTTP/1.1', JSON_TYPE, 'Transfer-Encoding: chunked') + `5;ext\nhello\r\n0\r\n\r\n${hidden}`,
    head('POST /chat HTTP/1.1', JSON_TYPE, 'Transfer-Encoding: chunked') + `zz\r\n${hidden}`,
    head('POST /chat HTTP/1.1', JSON_TYPE, 'Transfer-Encoding: xchunked') + hidden,
    head('POST /chat HTTP/1.1', 'Content-Type: text/plain', `Content-Length: ${hidden.length}`) + hidden,
  ]) {
    const { body, ...answer } = await exchange(url, smuggled);
    t.ok(answer.status >= 400 && answer.status < 500, `${answer.status}`);
    t.notMatch(body, 'agent_name');
  }
});

t.test('the server is healthy, and the same process as before', async (t) => {
  t.equal((await send(url, '/health')).status, 200);
  t.equal(server.process.exitCode, null);
  t.match((await send(url, '/status')).json, { active_requests: 0, queued_requests: 0 });
  t.notMatch(server.output.stderr, /"level":"(error|fatal)"/);
});

endsCleanly(t, server);
