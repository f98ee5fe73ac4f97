// What ends an interaction early: its client, or the client's going away.
import { randomUUID } from 'node:crypto';
import t from 'tap';
import { chat, resume, send, stream, type Answer, type Json } from '../../helpers/http_client.ts';
import { parseEventStream } from '../../helpers/event_stream.ts';
import { directed, endsCleanly, serve, serveModel } from '../../helpers/serve.ts';
import { waitFor } from '../../helpers/wait_for.ts';

const server = await serveModel(t, 'scripted');
const puppets = await serve(t, 'puppet', { args: ['--concurrency', '1'], env: { CANCEL_GRACE_SECONDS: '0.3' } });
const { url, model } = server;

const cancel = (base: string, id: string): Promise<Answer> => send(base, `/chat/${id}/cancel`, { method: 'POST' });
const stateOf = async (base: string, id: string): Promise<Json> => (await send(base, `/chat/${id}`)).json;
const isOver = (base: string, id: string) => waitFor('the end', async () => (await stateOf(base, id))['ended_at'] !== null && stateOf(base, id));
const slow = directed({ words: 1000, delayMs: 20 });

/** Starts a stream and waits until the model speaks. */
async function running(body: object = {}) {
  const interaction_id = randomUUID();
  const before = model.requests.length;
  const opened = await stream(url, { message: slow, interaction_id, ...body });
  await opened.until('text');
  const request = model.requests[before];
  if (request === undefined) throw new Error('the model was not asked');
  return { ...opened, id: interaction_id, closed: request.closed, ended: opened.ended, events: () => opened.events };
}

t.test('a cancel aborts the model call within a second, and answers once all has ended', async (t) => {
  const { id, closed, ended } = await running();
  const began = performance.now();
  const answer = await cancel(url, id);
  t.equal(await closed, false, 'the model saw its connection closed');
  t.ok(performance.now() - began < 1000);
  t.equal(answer.status, 200);
  t.match(answer.json, {
    interaction_id: id, status: 'cancelled', result: null, error: { code: 'cancelled', message: 'The interaction was cancelled.' },
  });
  const { events, done } = parseEventStream(await ended);
  t.match(events.at(-1)?.content, { type: 'error', error: { code: 'cancelled' } });
  t.ok(done);
});

t.test('a second cancel, and one of what has ended, change nothing', async (t) => {
  const { id } = await running();
  const [one, two] = await Promise.all([cancel(url, id), cancel(url, id)]);
  t.strictSame(one.json, two.json);
  t.strictSame((await cancel(url, id)).json, one.json);
  const done = await chat(url, { message: directed({ text: 'Hi' }) });
  t.match(await cancel(url, String(done.json['interaction_id'])), {
    status: 200, json: { status: 'success', error: null, result: { content: 'Hi' } },
  });
});

t.test('a chat that is cancelled is told by its status', async (t) => {
  const interaction_id = randomUUID();
  const answer = chat(url, { message: slow, interaction_id });
  await waitFor('it to run', async () => (await stateOf(url, interaction_id))['status'] === 'running');
  await cancel(url, interaction_id);
  t.match(await answer, { status: 409, json: { code: 'CANCELLED' } });
});

t.test('one that waits for a worker can be cancelled, and the next one moves up', async (t) => {
  const [first, second, third] = [randomUUID(), randomUUID(), randomUUID()];
  const answers = [chat(puppets.url, { message: 'hang', interaction_id: first })];
  await waitFor('the first to run', async () => (await stateOf(puppets.url, first))['status'] === 'running');
  answers.push(chat(puppets.url, { message: 'say two', interaction_id: second }));
  await waitFor('the second to wait', async () => (await stateOf(puppets.url, second))['status'] === 'queued');
  answers.push(chat(puppets.url, { message: 'say three', interaction_id: third }));
  t.match(await cancel(puppets.url, second), { json: { status: 'cancelled', started_at: null } });
  await cancel(puppets.url, first);
  t.strictSame((await Promise.all(answers)).map(({ status }) => status), [409, 409, 200]);
});

t.test('an agent that takes no notice is ended after CANCEL_GRACE_SECONDS', async (t) => {
  const opened = await stream(puppets.url, { message: 'say a\ndeaf' });
  await opened.until('text');
  const began = performance.now();
  t.match(await cancel(puppets.url, String(opened.headers['x-interaction-id'])), { json: { status: 'cancelled' } });
  t.ok(performance.now() - began < 1500);
  t.match(await chat(puppets.url, { message: 'say still here' }), { status: 200, json: { response: 'still here' } });
});

t.test('there is nothing to cancel, to look at or to follow under an unknown id', async (t) => {
  const unknown = randomUUID();
  for (const answer of [await cancel(url, unknown), await send(url, `/chat/${unknown}`), await send(url, `/chat/${unknown}/stream`)]) {
    t.match(answer, { status: 404, json: { code: 'INTERACTION_NOT_FOUND' } });
  }
  t.match(await send(url, '/chat/one/cancel', { method: 'POST' }), { status: 404, json: { code: 'NOT_FOUND' } });
});

t.test('a reader that goes away cancels its interaction, and the model call within a second', async (t) => {
  const { id, closed, close } = await running();
  const began = performance.now();
  close();
  t.equal(await closed, false);
  t.ok(performance.now() - began < 1000);
  t.match(await isOver(url, id), { status: 'cancelled', error: { code: 'cancelled', message: 'The client went away.' } });
});

t.test('so does the client of a chat', async (t) => {
  const interaction_id = randomUUID();
  const before = model.requests.length;
  const controller = new AbortController();
  const answer = send(url, '/chat', { method: 'POST', body: { message: slow, interaction_id }, signal: controller.signal });
  const request = await waitFor('the model to be asked', () => model.requests[before]);
  controller.abort();
  await t.rejects(answer);
  t.equal(await request.closed, false);
  t.match(await isOver(url, interaction_id), { status: 'cancelled' });
});

t.test('on_disconnect continue lets it go on', async (t) => {
  const { id, close } = await running({ message: directed({ words: 20, delayMs: 10 }), on_disconnect: 'continue' });
  close();
  t.match(await isOver(url, id), { status: 'success', error: null });
});

t.test('a reader that comes back within disconnect_grace_ms finds it running', async (t) => {
  const { id, close, closed, events } = await running({ disconnect_grace_ms: 2000, message: directed({ words: 60, delayMs: 20 }) });
  const last = events().at(-1)?.id ?? 0;
  close();
  const again = await resume(url, id, last);
  const rest = parseEventStream(await again.ended);
  t.equal(rest.events[0]?.id, last + 1);
  t.equal(rest.events.at(-1)?.content.type, 'output');
  t.equal(await closed, true);
});

t.test('it ends when the grace is over', async (t) => {
  const { id, close, closed } = await running({ disconnect_grace_ms: 400 });
  const began = performance.now();
  close();
  t.equal(await closed, false);
  const tookMs = performance.now() - began;
  t.ok(tookMs > 350 && tookMs < 1400, `${tookMs} ms`);
  t.match(await isOver(url, id), { status: 'cancelled' });
});

t.test('as long as one reader is left, it goes on', async (t) => {
  const { id, close, closed } = await running({ message: directed({ words: 60, delayMs: 20 }) });
  const second = await resume(url, id);
  await second.until('text');
  close();
  t.equal(await closed, true);
  t.equal(parseEventStream(await second.ended).events.at(-1)?.content.type, 'output');
});

endsCleanly(t, server, puppets);
