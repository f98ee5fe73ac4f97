// Tokens as their users and their thieves meet them: what belongs to whom, what ends with a token, and what is never written down.
import { readdir, readFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { join } from 'node:path';
import t from 'tap';
import { parseEventStream } from './helpers/event_stream.ts';
import { chat, send, stream, type Json } from './helpers/http_client.ts';
import { exchange, head, holdBody } from './helpers/raw_socket.ts';
import { endsCleanly, serve } from './helpers/serve.ts';
import { adminTokenOf, bearer, mint, revoke } from './helpers/tokens.ts';
import { waitFor } from './helpers/wait_for.ts';

const server = await serve(t, 'puppet', { args: ['--workers', '2'], env: { FORCE_AUTH: 'true', LOG_LEVEL: 'trace' } });
const { url } = server;
const admin = bearer(await adminTokenOf(server));
const user = async (userId: string, fields: Json = {}) => mint(server, { scopes: ['chat', 'agent'], user_id: userId, ...fields });
const ask = async (token: string, message: string, fields: Json = {}) => chat(url, { message, ...fields }, bearer(token));
const stateOf = (token: string, id: string) => send(url, `/chat/${id}`, { headers: bearer(token) });
const idOf = (headers: Readonly<Record<string, unknown>>): string => String(headers['x-interaction-id']);
const usesOf = async (id: string): Promise<number> => {
  const { tokens } = (await send(url, '/tokens', { headers: admin })).json as unknown as { tokens: readonly { id: string; use_count: number }[] };
  return tokens.find((token) => token.id === id)?.use_count ?? 0;
};
const endOf = (text: string) => parseEventStream(text).events.at(-1)?.content;

// Those of the log: logs_of_others.test.ts.
t.test('what is somebody else\'s is not there, at every route that names an interaction or a session', async (t) => {
  const alice = await user('alice');
  const { json } = await ask(alice.token, 'say hi', { session_id: 'alices' });
  const ids: Readonly<Record<string, string>> = { interaction_id: String(json['interaction_id']), session_id: 'alices' };
  const { paths } = (await send(url, '/openapi.json')).json as unknown as { paths: Readonly<Record<string, Json>> };
  const named = Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => ({ path, method: method.toUpperCase() })))
    .filter(({ path }) => /\{(interaction_id|session_id)\}/.test(path) && !path.startsWith('/logs'));
  t.ok(named.length >= 5);
  const others = { bob: bearer((await user('bob')).token), service: bearer((await mint(server, { scopes: ['chat'] })).token), admin };
  for (const { path, method } of named) {
    const real = path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => ids[name] ?? '');
    for (const [who, headers] of Object.entries(others)) {
      t.equal((await send(url, real, { method, headers })).status, 404, `${who}: ${method} ${path}`);
    }
  }
  for (const [who, headers] of Object.entries(others)) {
    t.match(await chat(url, { message: 'hi', session_id: 'alices' }, headers), { status: 409, json: { code: 'SESSION_TAKEN' } }, who);
    const again = await chat(url, { message: 'hi', interaction_id: ids['interaction_id'] }, headers);
    t.match(again, { status: 409, json: { code: 'INTERACTION_EXISTS' } }, who);
  }
  t.equal((await send(url, '/chat/sessions/alices', { headers: bearer(alice.token) })).status, 200, 'and alice still has it');
  t.match(
    (await ask((await user('alice')).token, 'history', { session_id: 'alices' })).json,
    { response: '{"turnCount":1,"said":["say hi"]}' },
    'with any of her tokens',
  );
});

t.test('two service tokens are two callers', async (t) => {
  const [a, b] = [await mint(server, { scopes: ['chat'] }), await mint(server, { scopes: ['chat'] })];
  await ask(a.token, 'say hi', { session_id: 'as' });
  t.match(await ask(b.token, 'say hi', { session_id: 'as' }), { status: 409 });
});

t.test('a revoked token\'s open streams end with the reason, and whatever else it had begun', async (t) => {
  const eve = await user('eve');
  const other = await user('eve');
  const streamed = await stream(url, { message: 'say a\nhang' }, bearer(eve.token));
  const deaf = await stream(url, { message: 'say a\ndeaf' }, bearer(eve.token));
  const waiting = ask(eve.token, 'hang');
  const left = await stream(url, { message: 'say a\nhang', on_disconnect: 'continue' }, bearer(eve.token));
  const untouched = await stream(url, { message: 'say a\nhang' }, bearer(other.token));
  for (const each of [streamed, deaf, left, untouched]) await each.until('text');
  left.close();
  await revoke(server, eve.id);

  for (const { ended } of [streamed, deaf]) {
    const text = await ended;
    t.match(endOf(text), { type: 'error', error: { code: 'cancelled', message: 'The token was revoked.' } });
    t.ok(parseEventStream(text).done);
  }
  t.match(await waiting, { status: 409, json: { code: 'CANCELLED', detail: 'The token was revoked.' } });
  for (const headers of [streamed.headers, left.headers]) {
    const { json } = await stateOf(other.token, idOf(headers));
    t.match(json, { status: 'cancelled', error: { code: 'cancelled', message: 'The token was revoked.' } });
  }
  t.equal((await ask(eve.token, 'say hi')).status, 401);
  t.match((await stateOf(other.token, idOf(untouched.headers))).json, { status: 'running' }, 'what the user began with another token goes on');
  untouched.close();
});

t.test('a stream that was resumed with a token that is revoked is cut; the interaction of another token goes on', async (t) => {
  const [owner, reader] = [await user('ada'), await user('ada')];
  const streamed = await stream(url, { message: 'say a\nhang' }, bearer(owner.token));
  await streamed.until('text');
  const resumed = send(url, `/chat/${idOf(streamed.headers)}/stream`, { headers: bearer(reader.token) });
  const cut = t.rejects(resumed, 'the connection breaks');
  await waitFor('the reader to be let in', async () => {
    const { tokens } = (await send(url, '/tokens', { headers: admin })).json as unknown as { tokens: { id: string; use_count: number }[] };
    return tokens.some(({ id, use_count: uses }) => id === reader.id && uses === 1);
  });
  await revoke(server, reader.id);
  await cut;
  t.match((await stateOf(owner.token, idOf(streamed.headers))).json, { status: 'running' });
  streamed.close();
});

t.test('a session is not deleted any more for a token that was revoked while the deletion waited for the turn that runs', async (t) => {
  const [leaked, kept] = [await user('dora'), await user('dora')];
  await ask(kept.token, 'say a', { session_id: 'doras' });
  const running = await stream(url, { message: 'hang', session_id: 'doras' }, bearer(kept.token));
  await running.until('start');
  const path = '/chat/sessions/doras';
  const deletion = send(url, path, { method: 'DELETE', headers: bearer(leaked.token) }).catch((error: NodeJS.ErrnoException) => error.code);
  await waitFor('the deletion to have come', async () => (await usesOf(leaked.id)) > 0);
  await revoke(server, leaked.id);
  t.equal(await deletion, 'ECONNRESET');
  await send(url, `/chat/${idOf(running.headers)}/cancel`, { method: 'POST', headers: bearer(kept.token) });
  t.equal(endOf(await running.ended)?.type, 'error');
  // Behind the deletion in the line of its session.
  t.equal((await ask(kept.token, 'say more', { session_id: 'doras' })).status, 200);
  t.match(await send(url, path, { headers: bearer(kept.token) }), { status: 200, json: { items: { length: 4 } } });
});

t.test('a token that expires in mid-stream ends it likewise', async (t) => {
  const { token } = await user('eve', { ttl_seconds: 1 });
  const streamed = await stream(url, { message: 'say a\nhang' }, bearer(token));
  await streamed.until('text');
  t.match(endOf(await streamed.ended), { type: 'error', error: { code: 'cancelled', message: 'The token expired.' } });
  t.match(await ask(token, 'say hi'), { status: 401, headers: { 'www-authenticate': 'Bearer' } });
});

t.test('a connection that is kept is asked anew with each request', async (t) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  const { id, token } = await user('eve');
  t.equal((await send(url, '/status', { headers: bearer(token), agent })).status, 200);
  await revoke(server, id);
  t.equal((await send(url, '/status', { headers: bearer(token), agent })).status, 401);
  t.equal((await send(url, '/status', { headers: admin, agent })).status, 200, 'the connection itself is nobody\'s');
});

t.test('a request that was let in before and has its body after begins nothing', async (t) => {
  const [eve, other] = [await user('eve'), await user('eve')];
  const id = '7d3b4c9a-9f5e-4b8d-8a1c-3e576f1c2a4e';
  const body = JSON.stringify({ message: 'say hi', interaction_id: id, on_disconnect: 'continue' });
  const held = await holdBody(url, 'POST /chat HTTP/1.1', body, `Authorization: Bearer ${eve.token}`);
  await revoke(server, eve.id);
  const received = await held.finish();
  // On a machine that is very slow the connection may have been cut before.
  t.match(received, /^HTTP\/1\.1 100 Continue\r\n\r\n($|HTTP\/1\.1 401 )/);
  t.equal((await stateOf(other.token, id)).status, 404);
});

t.test('a query brings no credential', async (t) => {
  const { token } = await user('eve');
  for (const name of ['token', 'api_token', 'api-token', 'access_token', 'authorization', 'x-api-key']) {
    t.equal((await send(url, `/status?${name}=${token}`)).status, 401, name);
  }
});

t.test('an agent sees neither the admin token nor anybody else\'s', async (t) => {
  const own = await serve(t, 'puppet', { env: { OAI_ADMIN_TOKEN: 'the-operator-has-chosen-this', OAI_TOKEN: 'another-one', FORCE_AUTH: 'true' } });
  const headers = bearer('the-operator-has-chosen-this');
  const message = 'env OAI_ADMIN_TOKEN\nenv OAI_TOKEN\nenv OAI_DATA_DIR';
  t.match((await chat(own.url, { message }, headers)).json, { response: 'unsetunsetunset' });
  t.match(own.output.stdout, /^tokens: 0; the admin token is OAI_ADMIN_TOKEN$/m);
  t.notMatch(own.output.stdout + own.output.stderr, 'the-operator-has-chosen-this');
  t.notOk((await readdir(own.dataDir)).includes('admin-token'), 'and none is made beside it');
  await own.stop();
});

t.test('wrong tokens that come as fast as they can keep nobody out, and beyond a hundred each connection is answered once a second', async (t) => {
  const { token } = await user('alice');
  const [connections, forMs] = [64, 3000];
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  t.teardown(() => agent.destroy());
  const statuses: number[] = [];
  const began = performance.now();
  const guess = async (_: unknown, first: number): Promise<void> => {
    for (let number = first; performance.now() - began < forMs; number += connections) {
      const unknown = `oas_${String(number).padStart(16, '0')}_${'x'.repeat(32)}`;
      const credential = number % 2 === 0 ? unknown : token.slice(0, -5) + String(number).padStart(5, '0');
      statuses.push((await send(url, '/status', { headers: { 'x-api-key': credential }, agent })).status);
    }
  };
  const guessing = Promise.all(Array.from({ length: connections }, guess));
  let answered = 0;
  while (performance.now() - began < forMs) {
    const { status, json } = await ask(token, 'say hi');
    t.match({ status, response: json['response'] }, { status: 200, response: 'hi' });
    answered += 1;
  }
  await guessing;
  const seconds = (performance.now() - began) / 1000;
  t.ok(answered > 5);
  const late = statuses.filter((status) => status === 429).length;
  const early = statuses.filter((status) => status === 401).length;
  t.ok(early > 0 && early <= 100, `${early} at once`);
  t.equal(late, statuses.length - early, 'nothing else was answered');
  t.ok(late > 0 && late <= connections * Math.ceil(seconds), `${late} in ${seconds.toFixed(1)} s`);
});

t.test('a connection that sends wrong tokens one behind the other is closed for it, and a valid one on another is answered before', async (t) => {
  const request = head('GET /status HTTP/1.1', 'x-api-key: wrong').replace('Connection: close\r\n', '');
  const [late, closed] = [exchange(url, head('GET /status HTTP/1.1', 'x-api-key: wrong')), exchange(url, request + request)];
  t.equal((await send(url, '/status', { headers: admin })).status, 200);
  const first = await Promise.race([late.then(() => 'late'), send(url, '/status', { headers: admin }).then(() => 'valid')]);
  t.equal(first, 'valid');
  t.equal((await closed).status, 0, 'without an answer');
  t.equal((await late).status, 429);
});

t.test('no secret that was made or sent is in any file or line', async (t) => {
  const { id, token } = await mint(server, { scopes: ['admin'], user_id: 'alice', name: 'seen' });
  const sent = ['oas_0000000000000000_ffffffffffffffffffffffffffffffff', 'a-password-typed-by-mistake'];
  for (const secret of sent) {
    const ways = [bearer(secret), { 'x-api-key': secret }, { 'api-token': secret }, { api_token: secret }, { authorization: `Basic ${secret}` }];
    await Promise.all(ways.flatMap((headers) => [
      send(url, '/status', { headers }),
      send(url, '/chat', { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: '{' }),
    ]));
  }
  await send(url, '/chat', { method: 'POST', headers: bearer(token), body: '{' });
  await ask(token, 'fail on purpose');
  await send(url, '/tokens', { headers: bearer(token) });
  const secrets = [token.split('_')[2] ?? '', token, (await adminTokenOf(server)).split('_')[2] ?? '', ...sent];
  const files = (await readdir(server.dataDir)).filter((name) => !['uploads', 'admin-token'].includes(name));
  t.ok(files.includes('state.db') && files.includes('state.db-wal'));
  const stored = (await Promise.all(files.map((name) => readFile(join(server.dataDir, name), 'latin1')))).join('\n');
  t.match(stored, id, 'the file that is looked through has the token');
  await waitFor('the token in the log, which is looked through as well', () => server.output.stderr.includes(id));
  const answers: string[] = [];
  for (const path of ['/metrics', '/status', '/tokens']) answers.push((await send(url, path, { headers: admin })).text);
  for (const secret of secrets) for (const text of [stored, server.output.stderr, server.output.stdout, ...answers]) t.notOk(text.includes(secret));
});

t.test('refusals are counted by status', async (t) => {
  const { text } = await send(url, '/metrics', { headers: admin });
  for (const status of [401, 429]) t.match(text, new RegExp(`^oai_auth_failures_total\\{status="${status}"\\} [1-9]`, 'm'));
  t.match((await send(url, '/ready')).json, { checks: { token_store: 'ok' } });
});

endsCleanly(t, server);
