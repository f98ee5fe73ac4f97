// AGENT_REINITIALIZE: an interaction in a worker that is started for it, with its environment, and destroyed after it.
import t from 'tap';
import { chat, send, stream, type OpenedStream } from './helpers/http_client.ts';
import type { StartedServer } from './helpers/process.ts';
import { endsCleanly, serve } from './helpers/serve.ts';
import { settledWorkers, statusOf } from './helpers/server_status.ts';
import { endOf } from './helpers/stream_end.ts';
import { adminTokenOf, bearer, mint } from './helpers/tokens.ts';
import { waitFor } from './helpers/wait_for.ts';

interface Sight {
  readonly threadId: number;
  readonly atLoad: string;
  readonly now: string;
  readonly region: string;
  readonly items: number;
}

const BOOT_S = 6;
const server = await serve(t, 'tailored', {
  args: ['--workers', '2'],
  env: { STUCK_TIMEOUT_SECONDS: '2', CANCEL_GRACE_SECONDS: '0.5', BOOT_TIMEOUT_SECONDS: String(BOOT_S), QUEUE_TIMEOUT_SECONDS: '0.5', DRAIN_TIMEOUT_SECONDS: '0.5' },
});
const { url } = server;
const workers = await settled(server);
const admin = bearer(await adminTokenOf(server));
const own = { ...admin, AGENT_REINITIALIZE: 'true' };

const sightOf = (text: unknown): Sight => JSON.parse(String(text)) as Sight;
/** The workers that serve, when there is no other. */
function settled(of: StartedServer): Promise<readonly number[]> {
  return waitFor('two workers', () => settledWorkers(of, 2));
}

async function begin(message: string, more: object = {}, headers: Readonly<Record<string, string>> = own): Promise<OpenedStream & { readonly sight: Sight }> {
  const opened = await stream(url, { message, ...more }, headers);
  const { content } = await opened.until('text');
  return Object.assign(opened, { sight: sightOf(content.content) });
}

const cancel = async ({ headers }: OpenedStream) => (await send(url, `/chat/${String(headers['x-interaction-id'])}/cancel`, { method: 'POST', headers: admin })).json;

t.test('its agent is loaded with its variables, in a thread that nobody had, and which is gone afterwards', async (t) => {
  for (const name of ['AGENT_REINITIALIZE', 'agent-reinitialize']) {
    const { status, json } = await chat(url, { message: 'look', env: { TENANT: 'me' } }, { ...admin, [name]: 'True' });
    t.equal(status, 200);
    t.match(sightOf(json['response']), { atLoad: 'me', now: 'me', region: 'eu' });
    const { json: shared } = await chat(url, { message: 'look', env: { TENANT: 'me' } }, admin);
    t.match(sightOf(shared['response']), { atLoad: 'nobody', now: 'me', region: 'eu' });
    t.not(sightOf(shared['response']).threadId, sightOf(json['response']).threadId);
  }
  t.strictSame(await settled(server), workers);
});

t.test('it is a worker in /status and /metrics while it runs, and the loading is time in the queue', async (t) => {
  const opened = await stream(url, { message: 'wait', env: { LOADING: 'takes long' } }, own);
  await waitFor('its worker to boot', async () => (await statusOf(server)).workers.some(({ state }) => state === 'booting'));
  t.match(await statusOf(server), { queued_requests: 1, active_requests: 0 });
  await opened.until('text');
  const { workers: now, active_requests: active } = await statusOf(server);
  t.strictSame([now.length, active], [3, 1]);
  const { id } = now.find(({ id }) => !workers.includes(id)) ?? {};
  t.match((await send(url, '/metrics')).text, new RegExp(`oai_worker_active\\{worker="${id}",generation="1",state="ready"\\} 1`));
  t.match(await cancel(opened), { status: 'cancelled' });
  t.strictSame(await settled(server), workers);
  const { json } = await chat(url, { message: 'look', env: { LOADING: 'takes long' } }, own);
  t.ok((json['timing'] as { queue_ms: number }).queue_ms > 1000, 'longer than QUEUE_TIMEOUT_SECONDS, which is for others');
});

t.test('as many as the server has workers run at once; to one more it is said when to come back', async (t) => {
  const running = await Promise.all([begin('wait', { env: { TENANT: 'a' } }), begin('wait', { env: { TENANT: 'b' } })]);
  t.strictSame(running.map(({ sight }) => sight.atLoad), ['a', 'b']);
  const refused = await chat(url, { message: 'look' }, own);
  t.match(refused, { status: 429, json: { code: 'OWN_WORKERS_BUSY' }, headers: { 'retry-after': /^\d+$/ } });
  t.equal((await chat(url, { message: 'look' }, admin)).status, 200, 'others go on');
  await cancel(running[0]);
  await waitFor('the place of the first', async () => (await chat(url, { message: 'look' }, own)).status === 200);
  await cancel(running[1]);
  t.strictSame(await settled(server), workers);
});

t.test('an agent that does not load so ends its interaction, in time, without a word of what it said', async (t) => {
  const told = { status: 500, json: { code: 'AGENT_FAILED', detail: 'The agent did not load in the worker that was started for the interaction.' } };
  t.match(await chat(url, { message: 'look', env: { LOADING: 'fails' } }, own), told);
  await waitFor('the reason in the log', () => server.output.stderr.includes('did not load the agent: Error: it cannot be loaded like this'));
  const began = performance.now();
  t.match(await chat(url, { message: 'look', env: { LOADING: 'hangs' } }, own), told);
  t.ok(performance.now() - began > BOOT_S * 1000 - 100, 'BOOT_TIMEOUT_SECONDS');
  await waitFor('that in the log', () => server.output.stderr.includes(`did not load within ${BOOT_S} s (BOOT_TIMEOUT_SECONDS)`));
  t.strictSame(await settled(server), workers);
});

t.test('while it loads it ends at once when it is cancelled, or its client goes', async (t) => {
  for (const leave of [cancel, async (opened: OpenedStream) => opened.close()]) {
    const opened = await stream(url, { message: 'look', env: { LOADING: 'hangs' } }, own);
    await waitFor('its worker', async () => (await statusOf(server)).workers.length === 3);
    const began = performance.now();
    await leave(opened);
    t.strictSame(await settled(server), workers);
    t.ok(performance.now() - began < 2000, 'before BOOT_TIMEOUT_SECONDS');
  }
});

t.test('a cancel that it ignores, a client that goes, a loop, an error out of no await: each ends it as any other, and its worker', async (t) => {
  const ends: readonly (readonly [string, string, ((opened: OpenedStream) => unknown)?])[] = [
    ['be deaf', 'cancelled', cancel],
    ['wait', 'no [DONE]', (opened) => opened.close()],
    ['loop', 'worker_stuck'],
    ['stray', 'agent_failed'],
  ];
  for (const [message, expected, act] of ends) {
    const opened = await begin(message);
    await act?.(opened);
    t.equal(endOf(await opened.ended), expected, message);
    t.strictSame(await settled(server), workers, message);
  }
});

t.test('one that waits for the thread of an earlier one, which a blocking call keeps, waits no longer than in the queue', async (t) => {
  const blocking = await Promise.all([begin('block'), begin('block')]);
  await waitFor('both to block', () => server.output.stderr.match(/it blocks/g)?.length === 2);
  for (const { status } of await Promise.all(blocking.map(cancel))) t.equal(status, 'cancelled');
  t.match(await chat(url, { message: 'look' }, own), { status: 503, json: { code: 'QUEUE_TIMEOUT' } });
  await waitFor('room again', async () => (await chat(url, { message: 'look' }, own)).status === 200, 30_000);
  t.strictSame(await settled(server), workers);
});

t.test('interactions of one session run in their order, whichever worker they have', async (t) => {
  const { headers } = await begin('look', { session_id: 'one' });
  const [second, third] = await Promise.all([begin('look', { session_id: 'one' }), begin('look', { session_id: 'one' }, admin)]);
  t.equal(headers['x-session-id'], 'one');
  t.strictSame([second.sight.items, third.sight.items].sort(), [2, 4]);
  await settled(server);
});

t.test('who may ask for it: admin only, unless the agent says otherwise; what is no clear answer is refused', async (t) => {
  t.match(await chat(url, { message: 'look' }, { AGENT_REINITIALIZE: 'true' }), { status: 403, json: { code: 'FORBIDDEN', detail: /allow_reinitialize/ } });
  const { token } = await mint(server, { scopes: ['chat'] });
  t.equal((await chat(url, { message: 'look' }, { ...bearer(token), AGENT_REINITIALIZE: 'true' })).status, 403);
  t.equal((await chat(url, { message: 'look' }, { AGENT_REINITIALIZE: 'false' })).status, 200);
  t.match(await chat(url, { message: 'look' }, { ...admin, AGENT_REINITIALIZE: 'yes' }), { status: 400, json: { code: 'MALFORMED_REQUEST' } });
  t.match(await chat(url, { message: 'look' }, { ...own, 'AGENT-REINITIALIZE': 'true' }), { status: 400, json: { code: 'DUPLICATE_VARIABLE' } });
  const open = await serve(t, 'tailored', { env: { OPEN: 'true' } });
  const { status, json } = await chat(open.url, { message: 'look', env: { TENANT: 'me' } }, { AGENT_REINITIALIZE: 'true' });
  t.equal(status, 200);
  t.equal(sightOf(json['response']).atLoad, 'me');
  await open.stop();
});

t.test('a reload lets one that loads, and one that runs, finish in the old generation', async (t) => {
  const running = await begin('wait');
  const loading = await stream(url, { message: 'look', env: { LOADING: 'takes long' } }, own);
  await waitFor('its worker to boot', async () => (await statusOf(server)).workers.length === 4);
  t.equal((await send(url, '/restart', { method: 'POST', headers: admin })).status, 200);
  t.equal(endOf(await loading.ended), 'output');
  t.match(await cancel(running), { status: 'cancelled' });
  t.equal(endOf(await running.ended), 'cancelled');
  await settled(server);
});

t.test('a stop tells one that does not end in time', async (t) => {
  const [running, loading] = [await begin('wait'), await stream(url, { message: 'look', env: { LOADING: 'hangs' } }, own)];
  const stopped = server.stop();
  t.strictSame([endOf(await running.ended), endOf(await loading.ended)], ['shutting_down', 'shutting_down']);
  t.strictSame(await stopped, { code: 0, signal: null });
});

endsCleanly(t, server);
