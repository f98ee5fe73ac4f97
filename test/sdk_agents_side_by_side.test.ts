// Many interactions of one SDK agent at once, each with a key of its own, also in the runs that its tools start; and the end of those that are left.
import { randomUUID } from 'node:crypto';
import t from 'tap';
import { parseEventStream } from './helpers/event_stream.ts';
import { chat, send, stream } from './helpers/http_client.ts';
import { directed, endsCleanly, serveModel } from './helpers/serve.ts';
import { settledWorkers } from './helpers/server_status.ts';
import { waitFor } from './helpers/wait_for.ts';

const server = await serveModel(t, 'sdk_orchestrator', { args: ['--workers', '2'], env: { CHAT_IDLE_TIMEOUT_SECONDS: '2' } });
const { url, model } = server;
const workers = await waitFor('the workers', () => settledWorkers(server, 2));

const COUNT = 50;
/** The model's calls of one interaction: its own two, the agent that is a tool, the run that a tool starts. */
const CALLS = 4;

t.test('50 at once: the model sees 50 keys, each with its own conversation', async (t) => {
  const echo = directed({ echo: 'authorization' });
  const marker = (index: number) => `conversation-${index}-`;
  const answers = Array.from({ length: COUNT }, async (_, index) => {
    const calls = [
      { name: 'summarize_text', arguments: { input: `${marker(index)} ${echo}` } },
      { name: 'translate', arguments: { text: `${marker(index)} ${echo}` } },
      { name: 'who_asks', arguments: {} },
    ];
    const message = `${marker(index)} ${directed([{ text: 'Wait', delayMs: 5, calls }, { echo: 'authorization' }])}`;
    const opened = await stream(url, { message, user_id: `user-${index}`, verbose: true }, { 'openai-api-key': `sk-caller-${index}` });
    return parseEventStream(await opened.ended).events.map(({ content }) => content);
  });
  for (const [index, events] of (await Promise.all(answers)).entries()) {
    const key = `sk-caller-${index}`;
    const results = Object.fromEntries(events.filter(({ type }) => type === 'tool_result').map(({ name, content }) => [String(name), content]));
    t.strictSame(results, { summarize_text: `Bearer ${key}`, translate: `Bearer ${key}`, who_asks: `user-${index} ${key} ${key}` });
    t.match(events.at(-1), { type: 'output', content: `Bearer ${key}` });
    const sent = model.requests.filter(({ headers }) => headers.authorization === `Bearer ${key}`).map(({ body }) => JSON.stringify(body));
    t.equal(sent.length, CALLS);
    t.ok(sent.every((body) => new Set(body.match(/conversation-\d+-/g)).size === 1 && body.includes(marker(index))), 'nothing of another');
  }
  t.equal(new Set(model.requests.map(({ headers }) => headers.authorization)).size, COUNT);
  t.equal(model.requests.length, COUNT * CALLS);
});

/** Starts a stream, waits until the model has been asked `calls` times, and gives the last of these requests. */
async function running(message: string, calls: number) {
  const interaction_id = randomUUID();
  const before = model.requests.length;
  const opened = await stream(url, { message, interaction_id, verbose: true });
  await opened.until(calls === 1 ? 'text' : 'tool_call');
  const { closed } = await waitFor('the model to be asked', () => model.requests[before + calls - 1]);
  return { opened, id: interaction_id, closed };
}

const slow = directed({ words: 1000, delayMs: 20 });
/** The model's call that is cut: the agent's own, that of an agent that is a tool, and that of a run which a tool started without a signal. */
const CUT: Readonly<Record<string, readonly [string, number]>> = {
  'the agent itself': [slow, 1],
  'an agent as a tool': [directed([{ calls: [{ name: 'summarize_text', arguments: { input: directed({ stall: 'headers' }) } }] }]), 2],
  'a run of a tool': [directed([{ calls: [{ name: 'translate', arguments: { text: directed({ stall: 'headers' }) } }] }]), 2],
};

for (const [name, [message, calls]] of Object.entries(CUT)) {
  t.test(`a cancel aborts the model call of ${name} within a second`, async (t) => {
    const { opened, id, closed } = await running(message, calls);
    const began = performance.now();
    t.match(await send(url, `/chat/${id}/cancel`, { method: 'POST' }), { status: 200, json: { status: 'cancelled' } });
    t.equal(await closed, false, 'the model saw its connection closed');
    t.ok(performance.now() - began < 1000);
    const { events, done } = parseEventStream(await opened.ended);
    t.match(events.at(-1)?.content, { type: 'error', error: { code: 'cancelled' } });
    t.ok(done);
  });

  t.test(`a client that goes aborts the model call of ${name}`, async (t) => {
    const { opened, id, closed } = await running(message, calls);
    const began = performance.now();
    opened.close();
    t.equal(await closed, false);
    t.ok(performance.now() - began < 1000);
    t.match(await send(url, `/chat/${id}/cancel`, { method: 'POST' }), { json: { status: 'cancelled' } });
  });
}

t.test('a model that never goes on ends with the time that the server gives it', async (t) => {
  for (const stall of ['headers', 'body', 2]) {
    const answer = await chat(url, { message: directed({ words: 9, stall }) });
    t.match(answer, { status: 504, json: { code: 'TIMEOUT' } });
    t.equal(await model.requests.at(-1)?.closed, false);
  }
});

t.test('afterwards all is as before: no error went astray, for which a worker would have been replaced', async (t) => {
  t.strictSame(await waitFor('the workers to settle', () => settledWorkers(server, 2)), workers);
  t.match(await chat(url, { message: directed({ text: 'Fine.' }) }), { status: 200, json: { response: 'Fine.' } });
});

endsCleanly(t, server);
