// The server behind a real nginx of the same machine: who looks local, which credentials arrive, and which path each of the two sees.
import { request } from 'node:http';
import t, { type Test } from 'tap';
import { chat, send, stream, type Answer, type Json } from './helpers/http_client.ts';
import { FORM_TYPE, formOf } from './helpers/multipart.ts';
import { nginxOrSkip } from './helpers/nginx.ts';
import { exchange, head } from './helpers/raw_socket.ts';
import { endsCleanly, serve } from './helpers/serve.ts';
import { adminTokenOf, bearer, mint } from './helpers/tokens.ts';

/** Asks nobody of this machine for a token. */
const server = await serve(t, 'puppet');
const forced = await serve(t, 'puppet', { env: { FORCE_AUTH: 'true' } });
const trusting = await serve(t, 'puppet', { env: { TRUSTED_PROXIES: '127.0.0.1', RATE_LIMIT_CHAT: '1/day' } });
const admin = await adminTokenOf(server);

const PLAIN = (url: string): string => `proxy_pass ${url};`;
/** As nginx is from 1.29.7 on unless told otherwise, and before where it is written for speed: nothing in what it sends tells that it is a proxy. */
const KEPT = (url: string): string => `proxy_pass ${url}; proxy_http_version 1.1; proxy_set_header Connection "";`;
/** As nginx was before. */
const CLOSED_EACH_TIME = (url: string): string => `proxy_pass ${url}; proxy_http_version 1.0; proxy_set_header Connection close;`;
const FORWARDED = 'proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;';
const everything = (lines: string): string => `server { listen 127.0.0.1:PORT; location / { ${lines} } }`;
const isRoot = process.getuid?.() === 0;
const OTHER_USER = isRoot ? false : 'only root can run nginx as another user';

interface Row {
  readonly method: string;
  readonly path: string;
  readonly scope: string;
}

/** Every row of the route table, with an example of each parameter. */
async function rows(): Promise<Row[]> {
  const { paths } = (await send(server.url, '/openapi.json')).json as { paths: Readonly<Record<string, Readonly<Record<string, Json>>>> };
  const table = Object.entries(paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, row]) => ({ method, path, row })));
  return table.map(({ method, path, row }) => ({
    method: method.toUpperCase(),
    path: path.replace('{interaction_id}', '11111111-2222-4333-8444-555555555555').replaceAll(/\{\w+\}/g, 'one'),
    scope: String(row['x-scope'] ?? 'open'),
  }));
}

/** Nothing but the open routes answers whoever has no token. */
async function isClosed(t: Test, url: string): Promise<void> {
  for (const { method, path, scope } of await rows()) {
    // With what a client may send to look local; nginx sends a Host of its own.
    for (const headers of [{}, { host: 'localhost', 'sec-fetch-site': 'same-origin' }]) {
      const { status } = await send(url, path, { method, headers });
      if (scope === 'open') t.ok(status === 200 || status === 404, `${method} ${path}: ${status}`);
      else t.equal(status, 401, `${method} ${path}`);
    }
  }
}

t.test('an nginx of another user lets nobody in without a token, however little it leaves of itself', { skip: OTHER_USER }, async (t) => {
  for (const lines of [PLAIN, KEPT, CLOSED_EACH_TIME]) {
    const url = await nginxOrSkip(t, { http: everything(lines(server.url)), user: 'www-data' });
    if (url === null) return;
    await isClosed(t, url);
  }
});

t.test('nor does one of the server\'s own user that speaks HTTP/1.0', async (t) => {
  const url = await nginxOrSkip(t, { http: everything(CLOSED_EACH_TIME(server.url)) });
  if (url !== null) await isClosed(t, url);
});

t.test('nor one of the server\'s own user that forwards the address of its client', async (t) => {
  const url = await nginxOrSkip(t, { http: everything(KEPT(server.url) + FORWARDED) });
  if (url !== null) await isClosed(t, url);
});

t.test('one of the server\'s own user that leaves no trace looks local, which FORCE_AUTH is for', async (t) => {
  const open = await nginxOrSkip(t, { http: everything(KEPT(server.url)) });
  const closed = await nginxOrSkip(t, { http: everything(KEPT(forced.url)) });
  if (open === null || closed === null) return;
  t.equal((await send(open, '/status')).status, 200);
  t.equal((await send(open, '/tokens')).status, 403, 'what asks for admin is closed even then');
  await isClosed(t, closed);
});

t.test('with a token everything works, streams as they come', async (t) => {
  const url = await nginxOrSkip(t, { http: everything(PLAIN(server.url)) });
  if (url === null) return;
  const { token } = await mint(server, { scopes: ['chat', 'agent', 'logs:all'], user_id: 'ada' });
  for (const { method, path, scope } of await rows()) {
    const { json, status } = await send(url, path, { method, headers: bearer(token) });
    t.notOk(status === 401 || (status === 403) !== (scope === 'admin'), `${method} ${path}: ${status} ${String(json['code'])}`);
  }
  t.match(await chat(url, { message: 'say hi' }, bearer(token)), { status: 200, json: { response: 'hi' } });
  const form = { method: 'POST', body: formOf(['message', 'say form'], ['files', { filename: 'a.txt', content: 'text' }]) };
  const headers = { ...bearer(token), 'content-type': FORM_TYPE };
  t.match(await send(url, '/chat/with-files', { ...form, headers }), { json: { response: 'form' } });
  const streamed = await stream(url, { message: 'say first\nhold nginx\nsay second' }, bearer(token));
  t.match((await streamed.until('text')).content, { content: 'first' }, 'nginx buffers nothing: the interaction waits in its middle');
  t.equal((await chat(url, { message: 'release nginx' }, bearer(token))).status, 200);
  t.match((await streamed.until('output')).content, { content: 'firstsecond' });
  t.match(await streamed.ended, /data: \[DONE\]\n\n$/);
  t.equal((await mint({ url, dataDir: server.dataDir }, { scopes: ['chat'] })).token.length > 0, true, 'and tokens can be made');
});

t.test('a credential that nginx drops is none, and two are one too many wherever they are counted', async (t) => {
  const token = await adminTokenOf(forced);
  const url = await nginxOrSkip(t, { http: everything(PLAIN(forced.url)) });
  const keeping = await nginxOrSkip(t, { http: `underscores_in_headers on; ${everything(PLAIN(forced.url))}` });
  if (url === null || keeping === null) return;
  const ask = async (base: string, ...fields: readonly string[]): Promise<number> =>
    (await exchange(base, head('GET /status HTTP/1.1', ...fields))).status;
  const [field, key, legacy] = [`Authorization: Bearer ${token}`, `x-api-key: ${token}`, `api_token: ${token}`];
  for (const one of [field, key, `api-token: ${token}`]) t.equal(await ask(url, one), 200, one.split(':')[0] ?? '');
  t.equal(await ask(url, legacy), 401, 'api_token does not arrive');
  t.equal(await ask(url, legacy, key), 200, 'nor counts');
  t.equal(await ask(keeping, legacy), 200, 'unless nginx is told to keep it');
  t.equal(await ask(keeping, legacy, key), 400);
  for (const two of [[field, field], [key, key], [field, key], [key, 'api-token: x'], [field, 'Authorization: Basic eDp5']]) {
    t.equal(await ask(url, ...two), 400, two.map((each) => each.split(' ')[0]).join(' '));
  }
});

/** Ways to write `/tokens` that one of two readers may take for it, and the other may not. */
const DISGUISES = [
  '//tokens', '///tokens', '/./tokens', '/x/../tokens', '/%2e/tokens', '/x/%2e%2e/tokens', '/x/%2E%2E/tokens', '/x/..%2ftokens',
  '/%2ftokens', '/%2Ftokens', '/%74okens', '/tok%65ns', '/%2574okens', '/x/%252e%252e/tokens', '/tokens/', '/tokens/.', '/tokens/x/..',
  '/tokens%2f', '/tokens%00', '/tokens%20', '/tokens;x', '/tokens%3fa=b', '/tokens?x=/../../', '/tokens%23', '/TOKENS', '/health/../tokens',
  '/health/%2e%2e/tokens', '/health/..;/tokens', '/docs/%2e%2e/tokens', '/docs/..%2ftokens', '/docs/..%5ctokens', '/\\tokens',
  '/x\\..\\tokens', '//x/tokens', '//localhost/tokens', '/http://localhost/tokens', 'http://x/tokens', 'http://localhost//tokens',
  '/health?/../tokens', '/tokens/%2e%2e/tokens', '*',
];

t.test('what nginx closes cannot be reached by another name', async (t) => {
  const rules = {
    'a folder is closed': `server { listen 127.0.0.1:PORT; location / { ${PLAIN(server.url)} } location /tokens { return 403; } }`,
    'a path is closed': `server { listen 127.0.0.1:PORT; location / { ${PLAIN(server.url)} } location = /tokens { return 403; } }`,
    'a path is rewritten': `server { listen 127.0.0.1:PORT; location / { ${PLAIN(`${server.url}/`)} } location /tokens { return 403; } }`,
  };
  const before = await tokenIds();
  for (const [name, http] of Object.entries(rules)) {
    const url = await nginxOrSkip(t, { http });
    if (url === null) return;
    t.equal((await send(url, '/tokens')).status, 403, name);
    t.equal((await send(url, '/status', { headers: bearer(admin) })).status, 200, name);
    for (const target of DISGUISES) {
      for (const method of ['GET', 'POST']) {
        const body = '{"scopes":["chat"]}';
        const fields = [`Authorization: Bearer ${admin}`, 'Content-Type: application/json', `Content-Length: ${body.length}`];
        const { status } = await exchange(url, head(`${method} ${target} HTTP/1.1`, ...fields) + body);
        // 405 is of a route that has other methods: /health and / have no POST.
        const reached = target.startsWith('/health?') || target === '*' ? [200, 400, 405] : [400, 403, 404, 405];
        t.ok(reached.includes(status), `${name}: ${method} ${target}: ${status}`);
      }
    }
  }
  t.strictSame(await tokenIds(), before, 'none was made');
});

async function tokenIds(): Promise<unknown> {
  const { tokens } = (await send(server.url, '/tokens', { headers: bearer(admin) })).json as { tokens: { id: string }[] };
  return tokens.map(({ id }) => id);
}

t.test('under a prefix that nginx strips the pages find what they link to', async (t) => {
  const url = await nginxOrSkip(t, { http: `server { listen 127.0.0.1:PORT; location /agents/one/ { ${PLAIN(`${server.url}/`)} } }` });
  if (url === null) return;
  for (const page of ['', 'docs']) {
    const { text, status } = await send(url, `/agents/one/${page}`, { headers: { accept: 'text/html' } });
    t.equal(status, 200);
    const all = [...text.matchAll(/(?:href|src)="([^"#]+)"/g)].map(([, link = '']) => new URL(link, `${url}/agents/one/${page}`));
    const links = all.filter(({ protocol }) => protocol === 'http:');
    t.ok(links.length >= 3);
    for (const { pathname } of links) {
      t.match(pathname, /^\/agents\/one\//);
      t.notSame((await send(url, pathname)).status, 404, pathname);
    }
  }
});

t.test('with TRUSTED_PROXIES each client of nginx is counted by its own address', async (t) => {
  const url = await nginxOrSkip(t, { http: everything(PLAIN(trusting.url) + FORWARDED) });
  if (url === null) return;
  const guess = (from: string, headers = {}): Promise<number> => askFrom(from, url, '/status', { 'x-api-key': 'wrong', ...headers });
  for (let i = 0; i < 100; i += 1) t.equal(await guess('127.0.0.2'), 401);
  t.equal(await guess('127.0.0.2'), 429);
  t.equal(await guess('127.0.0.2', { 'x-forwarded-for': '127.0.0.3' }), 429, 'what it says of itself is not believed');
  t.equal(await guess('127.0.0.3'), 401, 'another client is not told to wait');
  t.equal(await guess('127.0.0.3', { 'x-forwarded-for': '127.0.0.2' }), 401, 'nor can one use up what is another\'s');
});

t.test('and a token by itself, wherever it comes from', async (t) => {
  const url = await nginxOrSkip(t, { http: everything(PLAIN(trusting.url) + FORWARDED) });
  if (url === null) return;
  const statusOf = ({ status }: Answer): number => status;
  const [one, other] = [bearer((await mint(trusting, { scopes: ['chat'] })).token), bearer((await mint(trusting, { scopes: ['chat'] })).token)];
  t.strictSame([statusOf(await chat(url, { message: 'say a' }, one)), statusOf(await chat(trusting.url, { message: 'say a' }, one))], [200, 429]);
  t.equal(statusOf(await chat(url, { message: 'say a' }, other)), 200);
});

/** From one of the addresses that this machine has for itself. */
function askFrom(localAddress: string, url: string, path: string, headers: Readonly<Record<string, string>>): Promise<number> {
  return new Promise((resolve, reject) => {
    const sending = request(`${url}${path}`, { localAddress, headers, agent: false }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode ?? 0));
    });
    sending.on('error', reject).end();
  });
}

endsCleanly(t, server, forced, trusting);
