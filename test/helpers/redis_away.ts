// A server whose Redis answers nothing: everything that can be asked of it then, in how much time it answers, and how it comes back.
import type { Test } from 'tap';
import { makeToken } from '../../supervisor/access/token_form.ts';
import { chat, send, stream, type Answer, type OpenedStream } from './http_client.ts';
import type { StartedServer } from './process.ts';
import type { RedisServer } from './redis_server.ts';
import { serve } from './serve.ts';
import { adminTokenOf, bearer, mint } from './tokens.ts';
import { waitFor } from './wait_for.ts';

/** As long as a request may take, and as it may take until everything works again. */
export const ANSWERED_MS = 1000;
export const BACK_MS = 2000;
/** A busy machine is late at times, but not so often in a row. */
export const ATTEMPTS = 6;
/** So wide that they refuse nobody: their store is asked before any other. */
export const LIMITS = { RATE_LIMIT_CHAT: '100000/day', MAX_CONCURRENT_PER_TOKEN: '1000' };
export const PASSWORD = 'canary-of-the-password';
const AWAY = [503, 'STORE_UNAVAILABLE'];

export interface Setting {
  readonly server: StartedServer;
  readonly token: string;
  readonly admin: string;
}

export const urlOf = ({ port }: RedisServer, password: string): string => `redis://:${password}@127.0.0.1:${port}`;

export async function settingOn(t: Test, redis: RedisServer): Promise<Setting> {
  const server = await serve(t, 'faulty', { env: { ...LIMITS, REDIS_URL: urlOf(redis, PASSWORD) } });
  const { token } = await mint(server, { scopes: ['chat', 'agent'] });
  return { server, token, admin: await adminTokenOf(server) };
}

export interface Told {
  /** By request its status, and its code where it has one. */
  readonly told: Readonly<Record<string, unknown>>;
  readonly slowestMs: number;
}

/** Asks for everything at once. */
export async function askAll({ server: { url }, token, admin }: Setting): Promise<Told> {
  const message = { message: 'hi', session_id: 'kept' };
  const requests: Readonly<Record<string, () => Promise<Answer>>> = {
    'a chat of a token': () => chat(url, { ...message, session_id: 'its own' }, bearer(token)),
    'a chat of a local caller': () => chat(url, message),
    'a chat in a new session': () => chat(url, { message: 'hi' }),
    'a chat of an unknown token': () => chat(url, message, bearer(makeToken().token)),
    'a stream': () => send(url, '/chat/stream', { method: 'POST', body: message }),
    'reading a session': () => send(url, '/chat/sessions/kept'),
    'deleting a session': () => send(url, '/chat/sessions/nobodys', { method: 'DELETE' }),
    'what a token asks of the agent': () => send(url, '/agent/info', { headers: bearer(token) }),
    'listing tokens': () => send(url, '/tokens', { headers: bearer(admin) }),
    'making a token': () => send(url, '/tokens', { method: 'POST', headers: bearer(admin), body: { scopes: ['chat'] } }),
    'revoking a token': () => send(url, '/tokens/nobodys', { method: 'DELETE', headers: bearer(admin) }),
    'how the server is': () => send(url, '/status', { headers: bearer(admin) }),
    'whether it lives': () => send(url, '/health'),
    'whether it is ready': () => send(url, '/ready'),
  };
  const began = performance.now();
  const told = await Promise.all(Object.entries(requests).map(async ([name, ask]) => {
    const { status, json } = await ask();
    return [name, 'code' in json ? [status, json['code']] : [status]] as const;
  }));
  return { told: Object.fromEntries(told), slowestMs: performance.now() - began };
}

/** Asks for everything until all of it is answered in time. @returns what was told the first time */
export async function askInTime(setting: Setting, t: Test): Promise<Told['told']> {
  const first = await askAll(setting);
  const tookMs = [first.slowestMs];
  while (tookMs.length < ATTEMPTS && Math.min(...tookMs) >= ANSWERED_MS) tookMs.push((await askAll(setting)).slowestMs);
  t.ok(Math.min(...tookMs) < ANSWERED_MS, `${tookMs.map(Math.round).join(', ')} ms`);
  return first.told;
}

export const WHEN_AWAY = {
  'a chat of a token': AWAY, 'a chat of a local caller': AWAY, 'a chat in a new session': AWAY, 'a chat of an unknown token': AWAY, 'a stream': AWAY,
  'reading a session': AWAY, 'deleting a session': AWAY, 'what a token asks of the agent': AWAY, 'listing tokens': AWAY, 'making a token': AWAY,
  'revoking a token': AWAY, 'how the server is': [200], 'whether it lives': [200], 'whether it is ready': [200],
};

/** A token that was checked within the last second is still let in. Resolves when it is so no more: nothing that it asks for is answered then. */
export async function isForgotten({ server: { url }, token }: Setting): Promise<void> {
  await waitFor('the token to be asked for anew', async () => (await send(url, '/agent/info', { headers: bearer(token) })).status === 503, 3000);
}

/** Follows twenty pieces, a second long. */
export const talk = ({ server }: Setting, session_id: string): Promise<OpenedStream> => stream(server.url, { message: 'count', session_id });
export const isDegraded = async ({ server: { url }, admin }: Setting, t: Test): Promise<void> => {
  t.match((await chat(url, { message: 'hi' })).json, { detail: 'The store of limits cannot be reached.' }, 'nobody passes the limits unchecked');
  t.match((await send(url, '/ready')).json, { status: 'degraded', checks: { token_store: 'down', workers: 'ok' } });
  t.match((await send(url, '/status', { headers: bearer(admin) })).json, { status: 'running', store: { backend: 'redis', connected: false } });
};

/** Waits until it serves again. @returns after how many ms it did */
export async function isBack({ server: { url } }: Setting, t: Test): Promise<number> {
  const began = performance.now();
  // Which takes a place in a line, and gives it back.
  const status = async (): Promise<number> => (await send(url, '/chat/sessions/nobodys', { method: 'DELETE' })).status;
  await waitFor('an answer', async () => (await status()) === 404);
  const backMs = performance.now() - began;
  const ready = await waitFor('it to be ready', async () => {
    const { json } = await send(url, '/ready');
    return json['status'] === 'ready' && json;
  }, 2000);
  t.match(ready, { checks: { token_store: 'ok' } });
  t.equal((await chat(url, { message: 'hi' })).status, 200);
  return backMs;
}

/** Stops it, and looks at what it has printed. */
export async function endsInTime({ server, token, admin }: Setting, t: Test): Promise<void> {
  const began = performance.now();
  t.strictSame(await server.stop(), { code: 0, signal: null });
  const endedMs = performance.now() - began;
  t.ok(endedMs < 8000, `${endedMs} ms`);
  t.comment(`it ended after ${Math.round(endedMs)} ms`);
  const printed = server.output.stdout + server.output.stderr;
  for (const secret of [PASSWORD, token, token.split('_')[2] ?? '', admin]) t.notOk(printed.includes(secret), 'no secret is printed');
  t.notMatch(printed, /unhandled|uncaught|\n\s+at /i);
}
