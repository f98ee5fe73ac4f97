// Limits as clients meet them: so many interactions in a minute, by token, by address, and by client behind a proxy.
import { request } from 'node:http';
import t from 'tap';
import { chat, send, stream, type Answer } from './helpers/http_client.ts';
import { FORM_TYPE, formOf } from './helpers/multipart.ts';
import { exchange, head } from './helpers/raw_socket.ts';
import { endsCleanly, serve } from './helpers/serve.ts';
import { adminTokenOf, bearer, mint } from './helpers/tokens.ts';

const env = { RATE_LIMIT_CHAT: '3/day' };
/** No proxy is trusted: whatever is forwarded makes a request one that is not local. */
const direct = await serve(t, 'quiet', { env });
/** Behind a proxy, which is what connects from 127.0.0.1; nobody is asked for a token. */
const proxied = await serve(t, 'quiet', { env: { ...env, AGENT_AUTH_ENABLED: 'false', TRUSTED_PROXIES: '127.0.0.1, 10.0.0.0/8' } });
/** As it would be without TRUSTED_PROXIES. */
const untrusting = await serve(t, 'quiet', { env: { ...env, AGENT_AUTH_ENABLED: 'false' } });
const guarded = await serve(t, 'quiet', { env: { FORCE_AUTH: 'true', TRUSTED_PROXIES: '127.0.0.1' } });

const ask = (url: string, headers = {}): Promise<Answer> => chat(url, { message: 'hi' }, headers);
const forwarded = (addresses: string): Readonly<Record<string, string>> => ({ 'x-forwarded-for': addresses });
const fieldsOf = ({ headers }: Pick<Answer, 'headers'>): unknown => [headers['ratelimit-limit'], headers['ratelimit-remaining']];
const isWait = (text: unknown): boolean => /^\d+$/.test(String(text)) && Number(text) > 86_000 && Number(text) <= 86_400;

/** Asks until the limit of three is used up. */
async function useUp(url: string, headers: Readonly<Record<string, string>>): Promise<number[]> {
  const statuses: number[] = [];
  for (let i = 0; i < 4; i += 1) statuses.push((await ask(url, headers)).status);
  return statuses;
}
const USED_UP = [200, 200, 200, 429];

t.test('three are taken of each token, and one more is told when to come back, at every way in', async (t) => {
  const { url } = direct;
  const ada = bearer((await mint(direct, { scopes: ['chat'], user_id: 'ada' })).token);
  const other = bearer((await mint(direct, { scopes: ['chat'] })).token);
  const first = await ask(url, ada);
  t.match([first.status, fieldsOf(first)], [200, ['3', '2']]);
  t.ok(isWait(first.headers['ratelimit-reset']));
  const streamed = await stream(url, { message: 'hi' }, ada);
  t.match([streamed.status, fieldsOf(streamed)], [200, ['3', '1']]);
  await streamed.ended;
  const body = formOf(['message', 'hi']);
  const uploaded = await send(url, '/chat/stream/with-files', { method: 'POST', body, headers: { ...ada, 'content-type': FORM_TYPE } });
  t.match([uploaded.status, fieldsOf(uploaded)], [200, ['3', '0']]);

  for (const path of ['/chat', '/chat/stream', '/chat/with-files', '/chat/stream/with-files']) {
    const refused = await send(url, path, { method: 'POST', headers: ada, body: { message: 'hi' } });
    t.match(refused, { status: 429, json: { status: 429, code: 'RATE_LIMITED', detail: /^Too many requests/ } }, path);
    t.strictSame(fieldsOf(refused), ['3', '0'], path);
    t.ok(isWait(refused.headers['retry-after']) && isWait(refused.headers['ratelimit-reset']), path);
    t.ok(Number(refused.headers['retry-after']) >= Number(refused.headers['ratelimit-reset']), path);
    t.match(refused.headers['content-type'], 'application/problem+json');
  }
  t.strictSame(fieldsOf(await ask(url, other)), ['3', '2'], 'another token has its own');
  t.strictSame(fieldsOf(await ask(url, bearer(await adminTokenOf(direct)))), ['3', '2'], 'and so has the admin token');
  t.strictSame(fieldsOf(await ask(url)), ['3', '2'], 'and the address of whoever needs none');
  const { status, headers } = await send(url, `/chat/${String(first.headers['x-interaction-id'])}`, { headers: ada });
  t.match([status, headers['ratelimit-limit']], [200, undefined], 'what starts no interaction is not counted');
});

t.test('what is refused for want of a token or a scope is not counted, what is malformed is', async (t) => {
  const { url } = direct;
  const small = bearer((await mint(direct, { scopes: ['agent'] })).token);
  for (let i = 0; i < 5; i += 1) {
    t.equal((await ask(url, small)).status, 403);
    t.match([(await ask(url, forwarded('1.2.3.4'))).status], [401], 'a forwarded request is not local');
  }
  const chatter = bearer((await mint(direct, { scopes: ['chat'] })).token);
  const own = { ...chatter, AGENT_REINITIALIZE: 'true' };
  for (let i = 0; i < 5; i += 1) t.equal((await ask(url, own)).status, 403);
  t.strictSame(await useUp(url, chatter), USED_UP);
  t.equal((await ask(url, own)).status, 403, 'nor does the limit hide what is not allowed at all');
  const token = bearer((await mint(direct, { scopes: ['chat'] })).token);
  for (const status of [400, 400, 400, 429]) t.equal((await send(url, '/chat', { method: 'POST', headers: token, body: '{' })).status, status);
});

t.test('a refused request is not asked for its body, and comes before what is wrong with it', async (t) => {
  const { url } = direct;
  const { token } = await mint(direct, { scopes: ['chat'] });
  t.strictSame(await useUp(url, bearer(token)), USED_UP);
  for (const path of ['/chat', '/chat/stream', '/chat/with-files', '/chat/stream/with-files']) {
    const fields = [`Authorization: Bearer ${token}`, 'Content-Type: text/plain', 'Content-Length: 99999999999', 'Expect: 100-continue'];
    const { status, head: answered } = await exchange(url, head(`POST ${path} HTTP/1.1`, ...fields));
    t.equal(status, 429, `${path}: before 415 and 413, without 100 Continue and without a byte of the body`);
    t.match(answered, /^connection: close$/im);
  }
});

t.test('it is answered though its body is never whole', async (t) => {
  const { url } = direct;
  const { token } = await mint(direct, { scopes: ['chat'] });
  t.strictSame(await useUp(url, bearer(token)), USED_UP);
  const headers = { ...bearer(token), 'content-type': 'application/json' };
  const answered = await new Promise<number | undefined>((resolve, reject) => {
    const signal = AbortSignal.timeout(10_000);
    const sending = request(`${url}/chat`, { method: 'POST', headers, agent: false, signal }, (response) => {
      response.resume();
      resolve(response.statusCode);
      sending.destroy();
    });
    sending.on('error', reject);
    // The body is never whole.
    sending.write('{"message":');
  });
  t.equal(answered, 429);
});

t.test('behind a trusted proxy each client has its own, by its address', async (t) => {
  const { url } = proxied;
  t.strictSame(await useUp(url, forwarded('203.0.113.1')), USED_UP);
  t.equal((await ask(url, forwarded('198.51.100.7, 203.0.113.1'))).status, 429, 'what it writes itself is not believed');
  t.equal((await ask(url, forwarded('203.0.113.1:4711, 10.1.2.3'))).status, 429, 'the proxies may be several');
  t.equal((await ask(url, { 'x-forwarded-for': ['203.0.113.1', '10.1.2.3'] })).status, 429, 'and name themselves in fields of their own');
  t.strictSame(fieldsOf(await ask(url, forwarded('203.0.113.2'))), ['3', '2']);
  t.strictSame(await useUp(url, forwarded('2001:db8:1:2::1')), USED_UP);
  t.equal((await ask(url, forwarded('2001:db8:1:2:ffff::2'))).status, 429, 'of IPv6 the first 64 bits count');
  t.strictSame(fieldsOf(await ask(url, forwarded('2001:db8:1:3::1'))), ['3', '2']);
  t.strictSame(fieldsOf(await ask(url)), ['3', '2'], 'who comes without a proxy is another one');
});

t.test('a proxy that is not trusted changes nothing: all that it forwards is its own', async (t) => {
  const { url } = untrusting;
  const statuses = [];
  for (let i = 1; i <= 4; i += 1) statuses.push((await ask(url, forwarded(`203.0.113.${i}`))).status);
  t.strictSame(statuses, USED_UP);
  t.equal((await ask(url)).status, 429);
});

t.test('credentials that fail are counted by client too', async (t) => {
  const { url } = guarded;
  const guess = async (from: Readonly<Record<string, string>>): Promise<number> =>
    (await send(url, '/status', { headers: { ...from, 'x-api-key': 'wrong' } })).status;
  const guesser = forwarded('203.0.113.1');
  for (let i = 0; i < 100; i += 1) t.equal(await guess(guesser), 401);
  t.equal(await guess(guesser), 429);
  t.equal(await guess(forwarded('198.51.100.7, 203.0.113.1')), 429);
  t.equal(await guess(forwarded('203.0.113.2')), 401, 'nobody else behind the proxy is told to wait');
  t.equal(await guess({}), 401);
});

t.test('without a limit nothing is told of one', async (t) => {
  const { headers } = await ask(guarded.url, bearer((await mint(guarded, { scopes: ['chat'] })).token));
  for (const name of ['ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset']) t.equal(headers[name], undefined);
});

endsCleanly(t, direct, proxied, untrusting, guarded);
