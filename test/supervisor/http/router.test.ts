// Paths, methods and modes: what is found where, and what every answer has.
import t from 'tap';
import { compileRoutes } from '../../../supervisor/http/router.ts';
import type { Route } from '../../../supervisor/routes/route.ts';
import { send } from '../../helpers/http_client.ts';
import { exchange, head } from '../../helpers/raw_socket.ts';
import { endsCleanly, serve } from '../../helpers/serve.ts';

const server = await serve(t, 'quiet');
const modes = await serve(t, 'quiet', { args: ['--allowed-modes', 'chat', 'health'] });
const { url } = server;
const ID = '11111111-2222-4333-8444-555555555555';

/** Every path, with the methods that it takes. */
const ALLOWED: Readonly<Record<string, string>> = {
  '/chat': 'POST, OPTIONS',
  '/chat/stream': 'POST, OPTIONS',
  '/chat/with-files': 'POST, OPTIONS',
  '/chat/stream/with-files': 'POST, OPTIONS',
  [`/chat/${ID}`]: 'GET, HEAD, OPTIONS',
  [`/chat/${ID}/stream`]: 'GET, OPTIONS',
  [`/chat/${ID}/cancel`]: 'POST, OPTIONS',
  '/chat/sessions/one': 'GET, DELETE, HEAD, OPTIONS',
  '/agent/info': 'GET, HEAD, OPTIONS',
  '/prompts': 'GET, HEAD, OPTIONS',
  '/tokens': 'POST, GET, HEAD, OPTIONS',
  '/tokens/one': 'DELETE, OPTIONS',
  '/health': 'GET, HEAD, OPTIONS',
  '/ready': 'GET, HEAD, OPTIONS',
  '/status': 'GET, HEAD, OPTIONS',
  '/metrics': 'GET, HEAD, OPTIONS',
  '/docs': 'GET, HEAD, OPTIONS',
  '/openapi.json': 'GET, HEAD, OPTIONS',
  '/': 'GET, HEAD, OPTIONS',
};
const OF_OTHER_MODES: Readonly<Record<string, string>> = {
  '/agent/info': 'agent', '/prompts': 'agent', '/tokens': 'tokens', '/tokens/one': 'tokens',
};

t.test('OPTIONS says which methods a path takes', async (t) => {
  for (const [path, allow] of Object.entries(ALLOWED)) {
    const { status, headers, text } = await send(url, path, { method: 'OPTIONS' });
    t.strictSame({ status, allow: headers['allow'], text }, { status: 204, allow, text: '' }, path);
  }
});

t.test('another method is refused with those that there are', async (t) => {
  for (const [path, allow] of Object.entries(ALLOWED)) {
    const { status, headers, json } = await send(url, path, { method: 'PATCH' });
    t.strictSame({ status, allow: headers['allow'], code: json['code'] }, { status: 405, allow, code: 'METHOD_NOT_ALLOWED' }, path);
  }
  t.equal((await send(url, '/chat/stream', { method: 'HEAD' })).status, 405);
  t.equal((await send(url, `/chat/${ID}/stream`, { method: 'HEAD' })).status, 405);
});

t.test('HEAD is answered as GET, without the body', async (t) => {
  for (const path of ['/health', '/ready', '/agent/info', '/openapi.json', '/docs', '/docs/page.css']) {
    const [get, headOf] = [await send(url, path), await send(url, path, { method: 'HEAD' })];
    t.equal(headOf.status, get.status, path);
    t.equal(headOf.text, '');
    t.equal(headOf.headers['content-length'], String(Buffer.byteLength(get.text)));
    t.equal(headOf.headers['content-type'], get.headers['content-type']);
  }
  t.strictSame((await send(url, `/chat/${ID}`, { method: 'HEAD' })).text, '', 'of a problem, too');
});

t.test('a path that there is not is a problem', async (t) => {
  for (const path of [
    '/nothing', '/chat/', '/CHAT', '/chat/one', `/chat/${ID}/`, '/chat/sessions/', '/chat/sessions/a/b', '/docs/', '/docs/..%2f', '/docs/pages.ts',
  ]) {
    t.match(await send(url, path), { status: 404, json: { code: 'NOT_FOUND' } }, path);
  }
});

t.test('a problem has the keys of RFC 9457 and the contract', async (t) => {
  const { headers, json } = await send(url, '/nothing', { headers: { 'x-request-id': 'my.request-1_a' } });
  t.equal(headers['content-type'], 'application/problem+json');
  t.equal(headers['cache-control'], 'no-store');
  t.strictSame(json, {
    type: 'about:blank', title: 'Not Found', status: 404, detail: 'There is nothing at this path.', code: 'NOT_FOUND', request_id: 'my.request-1_a',
  });
  const wrong = await send(url, '/chat', { method: 'POST', body: {} });
  t.strictSame(Object.keys(wrong.json), ['type', 'title', 'status', 'detail', 'code', 'request_id', 'errors']);
  t.equal(wrong.json['title'], 'Unprocessable Content');
  t.equal(wrong.json['request_id'], wrong.headers['x-request-id']);
});

t.test('every answer has X-Request-ID: the request\'s own where it is a plain word, else one of ours', async (t) => {
  for (const path of [...Object.keys(ALLOWED), '/nothing']) {
    t.equal((await send(url, path, { headers: { 'x-request-id': 'given' } })).headers['x-request-id'], 'given', path);
  }
  const UUID = /^[0-9a-f-]{36}$/;
  for (const wrong of ['', 'a b', 'x'.repeat(129), '<script>', 'é']) {
    t.match((await send(url, '/health', { headers: { 'x-request-id': wrong } })).headers['x-request-id'], UUID, wrong);
  }
  t.equal((await send(url, '/health', { headers: { 'x-request-id': 'x'.repeat(128) } })).headers['x-request-id']?.length, 128);
  t.match((await exchange(url, 'nonsense\r\n\r\n')).head, /X-Request-ID: [0-9a-f-]{36}/);
});

t.test('a query does not change the path', async (t) => {
  t.equal((await send(url, '/health?x=1&x=%zz')).status, 200);
  t.equal((await send(url, '/health?/../..')).status, 200);
});

t.test('a mode that was not allowed is not there, and the problem says so', async (t) => {
  for (const [path, mode] of Object.entries(OF_OTHER_MODES)) {
    for (const method of ['GET', 'OPTIONS', 'PATCH']) {
      const { status, json } = await send(modes.url, path, { method });
      t.match({ status, ...json }, {
        status: 404, code: 'MODE_NOT_ALLOWED', detail: `This path belongs to the mode ${mode}, which is not among --allowed-modes.`,
      });
    }
  }
  for (const path of Object.keys(ALLOWED).filter((each) => !(each in OF_OTHER_MODES))) {
    t.not((await send(modes.url, path)).json['code'], 'MODE_NOT_ALLOWED', path);
  }
  const { json } = await send(modes.url, '/');
  t.notMatch(Object.keys(json['links'] as object).join(), /agent|prompts|tokens/);
});

t.test('a row without mode or scope keeps the server from starting, whatever the types say', async (t) => {
  const row = { method: 'GET', path: '/a', mode: 'chat', scope: 'chat' };
  const compile = (...rows: readonly object[]) => compileRoutes(rows as readonly Route[]);
  t.type(compile(row), 'function');
  const wrong = [['mode', undefined], ['mode', 'chatter'], ['mode', null], ['scope', undefined], ['scope', ''], ['scope', 'root']] as const;
  for (const [field, value] of wrong) {
    t.throws(() => compile({ ...row, [field]: value }), { message: `GET /a has no ${field}` });
  }
  t.throws(() => compile(row, row), { message: 'two routes for GET /a' });
  t.throws(() => compile(row, { ...row, method: 'POST', mode: 'agent' }), { message: 'two modes for /a' });
});

t.test('HTTP/1.1 asks for exactly one Host', async (t) => {
  t.equal((await exchange(url, 'GET /health HTTP/1.1\r\nConnection: close\r\n\r\n')).status, 400);
  t.equal((await exchange(url, head('GET /health HTTP/1.1'))).status, 200);
});

endsCleanly(t, server, modes);
