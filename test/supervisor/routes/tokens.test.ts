// POST, GET and DELETE of /tokens: what is asked for, what is shown, and what is refused.
import t from 'tap';
import { chat, send, type Answer } from '../../helpers/http_client.ts';
import { holdBody } from '../../helpers/raw_socket.ts';
import { endsCleanly, serve } from '../../helpers/serve.ts';
import { adminTokenOf, bearer, mint, revoke } from '../../helpers/tokens.ts';

const server = await serve(t, 'puppet');
const open = await serve(t, 'puppet', { env: { AGENT_AUTH_ENABLED: 'false' } });
const { url } = server;
const admin = bearer(await adminTokenOf(server));
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

const create = (body: unknown, headers = admin): Promise<Answer> => send(url, '/tokens', { method: 'POST', headers, body });
const list = async (): Promise<readonly Readonly<Record<string, unknown>>[]> => (await send(url, '/tokens', { headers: admin })).json['tokens'] as [];

t.test('a token is made, and shown this once', async (t) => {
  const { status, json, headers } = await create({ user_id: 'Zoë', scopes: ['logs:all', 'chat'], name: 'laptop', ttl_seconds: 3600 });
  t.equal(status, 201);
  t.equal(headers['cache-control'], 'no-store');
  t.strictSame(Object.keys(json), ['id', 'token', 'name', 'user_id', 'scopes', 'created_at', 'expires_at']);
  t.match(
    json,
    {
      token: /^oas_[0-9A-Za-z]{16}_[0-9A-Za-z]{32}$/, name: 'laptop', user_id: 'Zoë', scopes: ['chat', 'logs:all'], created_at: ISO, expires_at: ISO,
    },
  );
  t.equal(Date.parse(String(json['expires_at'])) - Date.parse(String(json['created_at'])), 3_600_000);
  t.match(json['token'], `oas_${String(json['id'])}_`);

  const answer = await send(url, '/tokens', { headers: admin });
  t.notMatch(answer.text, String(json['token']).split('_')[2] ?? '');
  const listed = (answer.json['tokens'] as Record<string, unknown>[]).at(-1);
  const { token: _token, ...shown } = json;
  t.strictSame(listed, { ...shown, last_used_at: null, use_count: 0 });
  t.equal(answer.json['total'], (answer.json['tokens'] as unknown[]).length);
});

t.test('what is left out is null, and so is null', async (t) => {
  for (const body of [{ scopes: ['agent'] }, { scopes: ['agent'], user_id: null, name: null, ttl_seconds: null, unknown: null }]) {
    t.match(await create(body), { status: 201, json: { name: null, user_id: null, scopes: ['agent'], expires_at: null } });
  }
});

const ID = (max: number): string => `expected a string of 1–${max} characters without controls`;
const SCOPES = 'expected at least one of chat, agent, logs, logs:all, admin, each once';
const TTL = 'expected a whole number of seconds from 1 to 315360000';
/** Bodies that are refused, each with the field and what was expected of it. */
const WRONG: readonly (readonly [body: unknown, path: string, message: string])[] = [
  [{}, 'scopes', SCOPES], [{ scopes: null }, 'scopes', SCOPES], [{ scopes: [] }, 'scopes', SCOPES], [{ scopes: 'chat' }, 'scopes', SCOPES],
  [{ scopes: ['chat', 'chat'] }, 'scopes', SCOPES], [{ scopes: ['chat', 'boss'] }, 'scopes.1', SCOPES], [{ scopes: [null] }, 'scopes.0', SCOPES],
  [{ scopes: ['chat'], user_id: '' }, 'user_id', ID(256)], [{ scopes: ['chat'], user_id: 'x'.repeat(257) }, 'user_id', ID(256)],
  [{ scopes: ['chat'], user_id: 5 }, 'user_id', ID(256)], [{ scopes: ['chat'], user_id: 'a\u0000b' }, 'user_id', ID(256)],
  [{ scopes: ['chat'], user_id: 'a\nb' }, 'user_id', ID(256)],
  [{ scopes: ['chat'], user_id: '\ud800' }, 'user_id', ID(256)],
  [{ scopes: ['chat'], name: 'x'.repeat(129) }, 'name', ID(128)], [{ scopes: ['chat'], name: '' }, 'name', ID(128)],
  [{ scopes: ['chat'], name: 'a\u001b[2J' }, 'name', ID(128)],
  [{ scopes: ['chat'], userid: 'ada' }, 'userid', 'unknown field; did you mean user_id?'],
  [{ scopes: ['chat'], ttl: '30d' }, 'ttl', 'unknown field; known are scopes, user_id, name, ttl_seconds'],
  ...[0, -1, 1.5, 315_360_001, '60', true].map((ttl) => [{ scopes: ['chat'], ttl_seconds: ttl }, 'ttl_seconds', TTL] as const),
];

t.test('a body that is not as it has to be is refused by its field', async (t) => {
  const before = await list();
  for (const [body, path, message] of WRONG) {
    const answer = await create(body);
    const expected = { code: 'VALIDATION_FAILED', detail: `${path}: ${message}`, errors: [{ path, message }] };
    t.match(answer, { status: 422, json: expected }, JSON.stringify(body));
  }
  for (const body of ['null', '[]', '5', '"x"']) t.match(await create(body), { status: 422, json: { detail: 'body: expected an object' } });
  t.match((await create({ scopes: [], user_id: '', name: '', ttl_seconds: 0 })).json, { errors: { length: 4 } });
  t.match((await create({ scopes: Array.from({ length: 9000 }, () => 'x') })).json, { errors: { length: 20 } });
  t.strictSame(await list(), before, 'and makes none');
});

t.test('the longest that there may be are taken', async (t) => {
  t.equal((await create({ scopes: ['chat'], user_id: 'ü'.repeat(256), name: '🙂'.repeat(64), ttl_seconds: 315_360_000 })).status, 201);
});

t.test('a body is JSON, and no longer than it needs to be', async (t) => {
  t.match(await create('{'), { status: 400, json: { code: 'MALFORMED_JSON' } });
  t.equal((await create({ scopes: ['chat'], filler: 'x'.repeat(70_000) })).status, 413);
  t.equal((await create('scopes=chat', { ...admin, 'content-type': 'application/x-www-form-urlencoded' } as never)).status, 415);
});

t.test('this machine without a token is told what to send', async (t) => {
  for (const [method, path] of [['POST', '/tokens'], ['GET', '/tokens'], ['DELETE', '/tokens/x']] as const) {
    const { status, json } = await send(url, path, { method, body: method === 'POST' ? { scopes: ['chat'] } : undefined });
    t.match({ status, code: json['code'] }, { status: 403, code: 'FORBIDDEN' });
    t.match(json['detail'], /too: send the admin token, which is OAI_ADMIN_TOKEN or in the file admin-token of the data directory\.$/);
    t.notMatch(json['detail'], server.dataDir);
  }
});

t.test('a token with the scope admin makes tokens, one without does not', async (t) => {
  const { token } = await mint(server, { scopes: ['admin'], user_id: 'root' });
  t.equal((await create({ scopes: ['admin', 'logs:all'] }, bearer(token))).status, 201);
  const small = await mint(server, { scopes: ['chat', 'agent', 'logs', 'logs:all'] });
  t.match(
    await create({ scopes: ['chat'] }, bearer(small.token)),
    { status: 403, json: { detail: 'The token lacks the scope admin, which this route asks for.' } },
  );
});

t.test('a revoked token is listed no more, and cannot be revoked again', async (t) => {
  const { id } = await mint(server, { scopes: ['chat'] });
  t.ok((await list()).some((each) => each['id'] === id));
  t.match(await send(url, `/tokens/${id}`, { method: 'DELETE', headers: admin }), { status: 204, text: '' });
  t.notOk((await list()).some((each) => each['id'] === id));
  for (const unknown of [id, 'nobody', 'a%20b', '%00'.repeat(3), "'; DROP TABLE tokens --".replaceAll(' ', '%20')]) {
    const { status, json } = await send(url, `/tokens/${unknown}`, { method: 'DELETE', headers: admin });
    if (unknown.includes('%00')) t.equal(status, 400);
    else t.match({ status, code: json['code'] }, { status: 404, code: 'TOKEN_NOT_FOUND' }, unknown);
  }
  t.ok((await list()).length > 0);
});

t.test('a body completed after revocation makes no token, whatever is in it', async (t) => {
  for (const body of [{ scopes: ['admin'], name: 'made too late' }, { scopes: ['boss'] }]) {
    const { id, token } = await mint(server, { scopes: ['admin'] });
    const held = await holdBody(url, 'POST /tokens HTTP/1.1', JSON.stringify(body), `Authorization: Bearer ${token}`);
    await revoke(server, id);
    // On a machine that is very slow the connection may have been cut before.
    t.match(await held.finish(), /^HTTP\/1\.1 100 Continue\r\n\r\n($|HTTP\/1\.1 401 )/);
  }
  t.notOk((await list()).some(({ name }) => name === 'made too late'));
});

t.test('uses are counted, and when the last one was', async (t) => {
  const { id, token } = await mint(server, { scopes: ['agent'] });
  const before = Date.now();
  for (const headers of [bearer(token), { 'x-api-key': token }, { 'api-token': token }, { api_token: token }]) {
    t.equal((await send(url, '/status', { headers })).status, 200);
  }
  const used = (await list()).find((each) => each['id'] === id);
  t.equal(used?.['use_count'], 4);
  t.ok(Date.parse(String(used?.['last_used_at'])) >= before);
});

t.test('a user\'s token speaks for that user, a service\'s for whom the body names', async (t) => {
  const userOf = async (token: string, body: object) => chat(url, { message: 'user', ...body }, bearer(token));
  const alices = await mint(server, { scopes: ['chat'], user_id: 'alice' });
  t.match((await userOf(alices.token, {})).json, { response: 'alice' });
  t.match((await userOf(alices.token, { user_id: 'alice' })).json, { response: 'alice' });
  t.match(
    await userOf(alices.token, { user_id: 'bob' }),
    { status: 422, json: { errors: [{ path: 'user_id', message: /^expected the user of the token, or nothing/ }] } },
  );
  const service = await mint(server, { scopes: ['chat'] });
  t.match((await userOf(service.token, { user_id: 'bob' })).json, { response: 'bob' });
  t.match((await userOf(service.token, {})).json, { response: 'user' });
});

t.test('where nobody is asked for a token a credential is not looked at, and everybody is the admin', async (t) => {
  for (const headers of [{}, { authorization: 'Bearer nonsense' }, { 'x-api-key': 'a', 'api-token': 'b' }]) {
    const { status, json } = await send(open.url, '/tokens', { method: 'POST', headers, body: { scopes: ['admin'] } });
    t.match({ status, token: json['token'] }, { status: 201, token: /^oas_/ });
  }
});

endsCleanly(t, server, open);
