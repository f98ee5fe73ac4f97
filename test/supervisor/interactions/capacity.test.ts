// What happens when there is more to do than can be done: refusals, timeouts, and what they are called.
import { randomUUID } from 'node:crypto';
import t from 'tap';
import { parseEventStream } from '../../helpers/event_stream.ts';
import { chat, send, stream } from '../../helpers/http_client.ts';
import { endsCleanly, serve } from '../../helpers/serve.ts';
import { waitFor } from '../../helpers/wait_for.ts';

const ONE_PLACE = ['--concurrency', '1', '--queue', '1'];
const narrow = await serve(t, 'puppet', { args: ONE_PLACE, env: { QUEUE_TIMEOUT_SECONDS: '0.5' } });
const hasty = await serve(t, 'puppet', { env: { CHAT_TIMEOUT_SECONDS: '0.6' } });
const restless = await serve(t, 'puppet', { env: { CHAT_IDLE_TIMEOUT_SECONDS: '0.4' } });

const queued = (base: string, count: number) => waitFor(
  `${count} in the queue`,
  async () => (await send(base, '/status')).json['queued_requests'] === count,
);
const cancel = (id: string) => send(narrow.url, `/chat/${id}/cancel`, { method: 'POST' });

/** Takes the only place in the only worker. */
async function occupy(): Promise<string> {
  const running = await stream(narrow.url, { message: 'say a\nhang', on_disconnect: 'continue' });
  await running.until('text');
  running.close();
  return String(running.headers['x-interaction-id']);
}

t.test('with one running and one waiting, a third is refused, and told when to come back', async (t) => {
  const running = await occupy();
  const interaction_id = randomUUID();
  const waiting = chat(narrow.url, { message: 'say b', interaction_id });
  await queued(narrow.url, 1);
  for (const answer of [
    await chat(narrow.url, { message: 'hi' }), await send(narrow.url, '/chat/stream', { method: 'POST', body: { message: 'hi' } }),
  ]) {
    t.match(answer, { status: 503, json: { code: 'QUEUE_FULL', detail: 'All workers are busy and the queue is full.' } });
    t.match(answer.headers['retry-after'], /^\d+$/);
  }
  await cancel(running);
  t.match(await waiting, { status: 200, json: { response: 'b' } });
  t.equal((await chat(narrow.url, { message: 'say again' })).status, 200);
});

t.test('one that waits too long is told so, by a stream as an event', async (t) => {
  const running = await occupy();
  const waiting = chat(narrow.url, { message: 'say b' });
  t.match(await waiting, { status: 503, json: { code: 'QUEUE_TIMEOUT' }, headers: { 'retry-after': /^\d+$/ } });
  const streamed = await stream(narrow.url, { message: 'say b' });
  t.equal(streamed.status, 200, 'a place in the queue is enough');
  const { events, done } = parseEventStream(await streamed.ended);
  t.match(events.map(({ id, content }) => ({ id, ...content })), [{ id: 1, type: 'error', error: { code: 'queue_timeout' } }]);
  t.equal(events.length, 1);
  t.ok(done);
  const state = await send(narrow.url, `/chat/${String(streamed.headers['x-interaction-id'])}`);
  t.match(state.json, { status: 'error', started_at: null, error: { code: 'queue_timeout' } });
  await cancel(running);
});

t.test('waiting for a session takes a place in the queue, too', async (t) => {
  const first = await stream(narrow.url, { message: 'say a\nhang', session_id: 'one' });
  await first.until('text');
  const waiting = chat(narrow.url, { message: 'say b', session_id: 'one' });
  await queued(narrow.url, 1);
  t.match(await chat(narrow.url, { message: 'hi', session_id: 'one' }), { status: 503, json: { code: 'QUEUE_FULL' } });
  first.close();
  t.equal((await waiting).status, 200);
});

t.test('CHAT_TIMEOUT_SECONDS ends an interaction, however lively', async (t) => {
  t.match(await chat(hasty.url, { message: 'say a\nhang' }), {
    status: 504, json: { code: 'TIMEOUT', detail: 'The interaction took longer than 0.6 s.' },
  });
  const streamed = await stream(hasty.url, { message: 'say a\nhang' });
  const { events, done } = parseEventStream(await streamed.ended);
  t.strictSame(events.map(({ content }) => content.type), ['start', 'text', 'error']);
  t.match(events.at(-1)?.content.error, { code: 'timeout', message: 'The interaction took longer than 0.6 s.' });
  t.ok(done);
  t.match((await send(hasty.url, `/chat/${String(streamed.headers['x-interaction-id'])}`)).json, { status: 'timeout', error: { code: 'timeout' } });
});

t.test('the wait for a session counts as well', async (t) => {
  const [first, second] = await Promise.all([1, 2].map(() => chat(hasty.url, { message: 'hang', session_id: 'both' })));
  t.strictSame([first?.status, second?.status], [504, 504]);
});

t.test('CHAT_IDLE_TIMEOUT_SECONDS ends one whose agent is silent', async (t) => {
  const began = performance.now();
  t.match(await chat(restless.url, { message: 'say a\nhang' }), {
    status: 504, json: { code: 'TIMEOUT', detail: 'The agent was silent for more than 0.4 s.' },
  });
  t.ok(performance.now() - began < 2000);
});

t.test('each of them leaves the server free', async (t) => {
  for (const { url } of [narrow, hasty, restless]) {
    await waitFor('nothing to run', async () => (await send(url, '/status')).json['active_requests'] === 0);
    t.match(await chat(url, { message: 'say free' }), { status: 200, json: { response: 'free' } });
  }
});

endsCleanly(t, narrow, hasty, restless);
