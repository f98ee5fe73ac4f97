// MAX_CONCURRENT_PER_TOKEN as clients meet it: on one server, and over two of them on one Redis.
import t, { type Test } from 'tap';
import { chat, send, stream, type OpenedStream } from './helpers/http_client.ts';
import { nothingIsLeft } from './helpers/leftovers.ts';
import type { StartedServer } from './helpers/process.ts';
import { exchange, head } from './helpers/raw_socket.ts';
import { redisOrSkip } from './helpers/redis_server.ts';
import { serve } from './helpers/serve.ts';
import { bearer, mint } from './helpers/tokens.ts';
import { waitFor } from './helpers/wait_for.ts';

const PATHS = ['/chat', '/chat/stream', '/chat/with-files', '/chat/stream/with-files'];
const REFUSED = { status: 429, headers: { 'retry-after': '1' }, json: { code: 'RATE_LIMITED', detail: /^No more than 1 interactions of one caller go on at once/ } };

async function hang({ url }: StartedServer, token: string): Promise<OpenedStream> {
  const running = await stream(url, { message: 'say a\nhang' }, bearer(token));
  await running.until('text');
  return running;
}

/** A body of 99 GB is announced, and asked for by nobody. */
async function isRefusedUnread(t: Test, { url }: StartedServer, token: string): Promise<void> {
  for (const path of PATHS) {
    const fields = [`Authorization: Bearer ${token}`, 'Content-Type: text/plain', 'Content-Length: 99999999999', 'Expect: 100-continue'];
    const { status, head: answered } = await exchange(url, head(`POST ${path} HTTP/1.1`, ...fields));
    t.equal(status, 429, path);
    t.match(answered, /^retry-after: 1$/im);
  }
}

t.test('with a limit of one the second is refused, whatever way it comes, until the first has ended, whatever way it ends', async (t) => {
  const server = await serve(t, 'puppet', { env: { MAX_CONCURRENT_PER_TOKEN: '1' } });
  const { url } = server;
  const [{ token }, other] = [await mint(server, { scopes: ['chat'] }), await mint(server, { scopes: ['chat'] })];
  const next = () => chat(url, { message: 'say b' }, bearer(token));
  const ways: Readonly<Record<string, (running: OpenedStream) => unknown>> = {
    'it is cancelled': ({ headers }) => send(url, `/chat/${String(headers['x-interaction-id'])}/cancel`, { method: 'POST', headers: bearer(token) }),
    'its client goes': (running) => running.close(),
    'it succeeds': () => chat(url, { message: 'release gate' }, bearer(other.token)),
  };
  for (const [name, end] of Object.entries(ways)) {
    const running = name === 'it succeeds' ? await stream(url, { message: 'say a\nhold gate' }, bearer(token)) : await hang(server, token);
    await running.until('text');
    t.match(await next(), REFUSED, name);
    await isRefusedUnread(t, server, token);
    t.equal((await chat(url, { message: 'say c' }, bearer(other.token))).status, 200, 'another token has its own');
    await end(running);
    await running.ended;
    await waitFor(`a place when ${name}`, async () => (await next()).status === 200);
  }
  for (const message of ['fail on purpose', 'say a', 'say b']) t.not((await chat(url, { message }, bearer(token))).status, 429, 'no place is lost');
  t.strictSame(await server.stop(), { code: 0, signal: null });
});

t.test('over two servers on one Redis they are one, beside RATE_LIMIT_CHAT, which counts what is refused as well', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const env = { REDIS_PORT: String(redis.port), MAX_CONCURRENT_PER_TOKEN: '1', RATE_LIMIT_CHAT: '30/day' };
  const [one, two] = [await serve(t, 'puppet', { env }), await serve(t, 'puppet', { env })];
  const { token } = await mint(one, { scopes: ['chat'] });
  const next = ({ url }: StartedServer) => chat(url, { message: 'say b' }, bearer(token));
  const running = await hang(one, token);
  t.equal(running.headers['ratelimit-remaining'], '29');
  for (const [server, remaining] of [[two, '28'], [one, '27']] as const) {
    t.match(await next(server), { ...REFUSED, headers: { 'retry-after': '1', 'ratelimit-limit': '30', 'ratelimit-remaining': remaining } });
  }
  await isRefusedUnread(t, two, token);
  running.close();
  await waitFor('a place on the other', async () => (await next(two)).status === 200);
  await waitFor('and back', async () => (await next(one)).status === 200);
  while ((await next(two)).headers['ratelimit-remaining'] !== '0');
  for (const server of [one, two]) t.match(await next(server), { status: 429, json: { detail: /^Too many requests/ } });
  for (const { stop } of [one, two]) t.strictSame(await stop(), { code: 0, signal: null });
});

nothingIsLeft(t);
