// Which pages of other origins may use the server.
import t from 'tap';
import { chat, send } from '../../helpers/http_client.ts';
import { endsCleanly, serve } from '../../helpers/serve.ts';
import { mint } from '../../helpers/tokens.ts';

const APP = 'https://app.example.org';
const closed = await serve(t, 'quiet');
const listed = await serve(t, 'quiet', { env: { ALLOWED_ORIGINS: `${APP}, http://localhost:3000` } });
const anyone = await serve(t, 'quiet', { env: { ALLOWED_ORIGINS: '*' } });

const preflight = (url: string, origin: string, asked = 'content-type') =>
  send(url, '/chat', { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': asked } });
const corsOf = (headers: object): string[] => Object.keys(headers).filter((name) => name.startsWith('access-control'));

t.test('without ALLOWED_ORIGINS nothing is said to any page', async (t) => {
  t.strictSame(corsOf((await preflight(closed.url, APP)).headers), []);
  t.strictSame(corsOf((await send(closed.url, '/health', { headers: { origin: APP } })).headers), []);
});

t.test('a listed origin may read, and is told what it may send', async (t) => {
  const { status, headers } = await preflight(listed.url, APP);
  t.equal(status, 204);
  t.match(headers, {
    vary: 'Origin',
    'access-control-allow-origin': APP,
    'access-control-allow-methods': /POST/,
    'access-control-allow-headers': /authorization.*content-type.*last-event-id.*x-request-id/,
    'access-control-max-age': /^\d+$/,
  });
  const answer = await chat(listed.url, { message: 'hi' }, { origin: 'http://localhost:3000' });
  t.equal(answer.status, 200, 'a page of a listed origin is local where its browser is');
  t.match(answer.headers, { 'access-control-allow-origin': 'http://localhost:3000', 'access-control-expose-headers': /x-session-id/ });
  t.notOk('access-control-allow-methods' in answer.headers);
});

t.test('such a page may send every field in which a token can come', async (t) => {
  const { token } = await mint(listed, { scopes: ['chat'] });
  const fields: Readonly<Record<string, string>> = { authorization: `Bearer ${token}`, 'x-api-key': token, 'api-token': token, api_token: token };
  for (const [name, value] of Object.entries(fields)) {
    const { headers } = await preflight(listed.url, APP, `content-type, ${name}`);
    t.ok(String(headers['access-control-allow-headers']).split(', ').includes(name), name);
    t.equal((await chat(listed.url, { message: 'hi' }, { origin: APP, [name]: value })).status, 200, name);
  }
});

t.test('errors can be read, too', async (t) => {
  const answer = await chat(listed.url, {}, { origin: APP });
  t.match({ status: answer.status, allowed: answer.headers['access-control-allow-origin'] }, { status: 422, allowed: APP });
});

t.test('another origin is told nothing, and caches know why', async (t) => {
  for (const origin of [
    'https://app.example.org.evil.test', 'http://app.example.org', 'https://APP.example.org', 'null', 'https://app.example.org:8443',
  ]) {
    const { headers } = await preflight(listed.url, origin);
    t.strictSame(corsOf(headers), [], origin);
    t.equal(headers['vary'], 'Origin');
  }
  t.equal((await send(listed.url, '/health')).headers['vary'], 'Origin');
});

t.test('* is for every page, without credentials', async (t) => {
  const { headers } = await preflight(anyone.url, 'https://some.where');
  t.equal(headers['access-control-allow-origin'], '*');
  t.notOk('access-control-allow-credentials' in headers);
});

t.test('* does not make every page local', async (t) => {
  t.equal((await chat(anyone.url, { message: 'hi' }, { origin: 'https://some.where' })).status, 401);
});

endsCleanly(t, closed, listed, anyone);
