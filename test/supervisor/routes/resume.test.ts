// GET /chat/{id} and GET /chat/{id}/stream: looking at an interaction, and coming back to it, without missing or repeating an event.
import { randomUUID } from 'node:crypto';
import t from 'tap';
import { messagesOf, parseEventStream } from '../../helpers/event_stream.ts';
import { chat, resume, send, stream } from '../../helpers/http_client.ts';
import { endsCleanly, serve } from '../../helpers/serve.ts';
import { waitFor } from '../../helpers/wait_for.ts';

const server = await serve(t, 'puppet');
const small = await serve(t, 'puppet', { env: { RESUME_MEMORY_MB: '0' } });
const { url } = server;
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

const release = (name: string) => chat(url, { message: `release ${name}` });

t.test('an interaction is queued, running, then over, with its times and its result', async (t) => {
  const interaction_id = randomUUID();
  const [first, second] = [
    chat(url, { message: 'hold state', session_id: 'state' }), chat(url, { message: 'say Hi', interaction_id, session_id: 'state' }),
  ];
  const queued = await waitFor('it to wait', async () => {
    const { status, json } = await send(url, `/chat/${interaction_id}`);
    return status === 200 && json;
  });
  t.strictSame(Object.keys(queued), ['interaction_id', 'session_id', 'status', 'created_at', 'started_at', 'ended_at', 'result', 'error']);
  t.match(queued, {
    interaction_id, session_id: 'state', status: 'queued', created_at: ISO, started_at: null, ended_at: null, result: null, error: null,
  });
  await release('state');
  const [, answer] = [await first, await second];
  const over = await send(url, `/chat/${interaction_id.toUpperCase()}`);
  t.match(over.json, { status: 'success', created_at: ISO, started_at: ISO, ended_at: ISO, error: null });
  t.strictSame(over.json['result'], answer.json['content']);
});

t.test('a running one says so, a failed one why', async (t) => {
  const running = await stream(url, { message: 'say a\nhold run' });
  await running.until('text');
  const id = String(running.headers['x-interaction-id']);
  t.match((await send(url, `/chat/${id}`)).json, { status: 'running', started_at: ISO, ended_at: null, result: null });
  await release('run');
  await running.ended;
  const failed = await chat(url, { message: 'fail The stock is empty.' });
  const state = await send(url, `/chat/${String(failed.headers['x-interaction-id'])}`);
  t.match(state.json, { status: 'error', result: null, error: { code: 'agent_failed', message: 'The stock is empty.' } });
});

t.test('from every event on, the rest comes as it came the first time', async (t) => {
  const opened = await stream(url, { message: 'say one\nsay two\nsay three\nuser' });
  const whole = await opened.ended;
  const id = String(opened.headers['x-interaction-id']);
  const blocks = whole.split(/(?<=\n\n)/);
  const last = parseEventStream(whole).events.length;
  for (let n = 0; n < last; n += 1) t.equal(await (await resume(url, id, n)).ended, blocks.slice(n).join(''));
  t.equal(await (await resume(url, id)).ended, whole, 'without Last-Event-ID from the start');
  for (const n of [last, last + 1, 1_000_000]) {
    const ended = await resume(url, id, n);
    t.equal(ended.status, 204);
    t.equal(await ended.ended, '');
    t.equal(ended.headers['x-interaction-id'], id);
  }
});

t.test('readers that join while it runs get what was, then what comes, each event once', async (t) => {
  const opened = await stream(url, { message: 'pieces 40\nhold live\npieces 40' });
  const id = String(opened.headers['x-interaction-id']);
  await waitFor('the first half', () => opened.events.length === 41);
  const readers = await Promise.all(Array.from({ length: 42 }, (_, n) => resume(url, id, n)));
  await Promise.all(readers.slice(0, 41).map(({ until }) => until('text')));
  await release('live');
  const { events } = parseEventStream(await opened.ended);
  t.equal(events.length, 82);
  for (const [n, { ended }] of readers.entries()) {
    const read = parseEventStream(await ended);
    t.strictSame(read.events.map(({ id }) => id), events.slice(n).map(({ id }) => id));
    t.ok(read.done);
  }
});

t.test('a reader that is ahead of a running interaction gets what comes next', async (t) => {
  const opened = await stream(url, { message: 'say a\nhold ahead\nsay b' });
  await opened.until('text');
  const ahead = await resume(url, String(opened.headers['x-interaction-id']), 999);
  await release('ahead');
  t.strictSame(parseEventStream(await ahead.ended).events.map(({ content }) => content.type), ['text', 'output']);
});

t.test('a stream that is not streamed to anyone can be followed, too', async (t) => {
  const interaction_id = randomUUID();
  const answer = chat(url, { message: 'say a\nhold quiet\nsay b', interaction_id });
  const follower = await waitFor('the interaction', async () => {
    const opened = await resume(url, interaction_id);
    return opened.status === 200 && opened;
  });
  await follower.until('text');
  await release('quiet');
  const { events } = parseEventStream(await follower.ended);
  t.equal(messagesOf(events)[0], (await answer).json['response']);
});

t.test('what is verbose is fixed at the start', async (t) => {
  const message = 'event {"type":"reasoning","content":"hm"}\nsay Hi';
  for (const verbose of [true, false]) {
    const opened = await stream(url, { message, verbose });
    const types = parseEventStream(await opened.ended).events.map(({ content }) => content.type);
    t.equal(types.includes('reasoning'), verbose);
    const again = parseEventStream(await (await resume(url, String(opened.headers['x-interaction-id']))).ended);
    t.strictSame(again.events.map(({ content }) => content.type), types);
  }
});

t.test('more than 512 KiB of events are not kept: who is behind is told', async (t) => {
  const opened = await stream(url, { message: 'pieces 700\nevent {"type":"handoff","from":"a","to":"b"}\nsay end' });
  const whole = parseEventStream(await opened.ended).events;
  const id = String(opened.headers['x-interaction-id']);
  for (const n of [0, 1, 50]) {
    const trimmed = await send(url, `/chat/${id}/stream`, { headers: { 'last-event-id': String(n) } });
    t.match(trimmed, { status: 410, json: { code: 'EVENTS_EXPIRED' } });
  }
  const late = parseEventStream(await (await resume(url, id, 600)).ended).events;
  t.strictSame(late, whole.slice(600));
});

t.test('a Last-Event-ID that is no number is refused', async (t) => {
  const id = String((await chat(url, { message: 'hi' })).json['interaction_id']);
  for (const wrong of ['one', '-1', '1.5', '1e3', '0x1']) {
    t.match(await send(url, `/chat/${id}/stream`, { headers: { 'last-event-id': wrong } }), { status: 400, json: { code: 'MALFORMED_REQUEST' } });
  }
});

t.test('without memory for them, ended interactions are forgotten at once', async (t) => {
  const { json } = await chat(small.url, { message: 'hi' });
  t.match(await send(small.url, `/chat/${String(json['interaction_id'])}`), { status: 404, json: { code: 'INTERACTION_NOT_FOUND' } });
});

endsCleanly(t, server, small);
