import t, { type Test } from 'tap';
import { nothingIsLeft } from '../../../helpers/leftovers.ts';
import { startModelServer } from '../../../helpers/model_server.ts';
import type { ModelStep } from '../../../helpers/model_steps.ts';
import { makeContext } from '../../../helpers/interaction.ts';
import { waitFor } from '../../../helpers/wait_for.ts';
import type { ModelEvent } from '../../../../worker/chat/engine/model.ts';
import { createModelClient } from '../../../../worker/chat/engine/client.ts';
import { createOpenAiModel, type OpenAiSettings } from '../../../../worker/chat/engine/openai.ts';

const server = await startModelServer();
const client = createModelClient(64);
t.teardown(async () => {
  await client.close();
  await server.close();
});

const SETTINGS: OpenAiSettings = {
  modelId: 'm',
  params: {},
  output: null,
  api: 'responses',
  baseUrl: server.url,
  timeoutMs: 5_000,
  retries: 2,
  requestEnv: ['USER_SECRET'],
};
const KEY = 'sk-test-0123456789';
let asked = 0;

interface CallOptions {
  readonly settings?: Partial<OpenAiSettings>;
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** One call whose message asks the server for this step; the number keeps the messages, by which failures are counted, apart. */
async function call(step: ModelStep, options: CallOptions = {}) {
  asked += 1;
  const model = createOpenAiModel({ ...SETTINGS, ...options.settings }, client);
  const { logger, logged } = makeContext();
  const items = [{ type: 'message', role: 'user', content: `${asked} @model ${JSON.stringify(step)}` }] as const;
  const request = { instructions: '', items, tools: [], turn: 1, env: options.env ?? { OPENAI_API_KEY: KEY }, logger };
  const events: ModelEvent[] = [];
  for await (const chunk of model.call(request, options.signal ?? new AbortController().signal)) {
    events.push(...chunk);
  }
  const text = events.map((event) => (event.type === 'text' ? event.text : '')).join('');
  return { text, end: events.at(-1), logged, request: server.requests.at(-1) };
}

const failsWith = (t: Test, promise: Promise<unknown>, code: string, message: RegExp) =>
  promise.then(
    () => t.fail('should have failed'),
    (error: unknown) => t.match(error, { code, message }),
  );

for (const api of ['responses', 'chat_completions'] as const) {
  const settings = { api };

  t.test(`${api}: an answer arrives with its usage, whichever way its bytes are cut`, async (t) => {
    const plain = await call({ text: 'Grüße 🎉 aus Köln 日本' }, { settings });
    t.equal(plain.text, 'Grüße 🎉 aus Köln 日本');
    t.match(plain.end, { type: 'end', finishReason: 'stop', usage: { input_tokens: 7, output_tokens: 5, total_tokens: 12 } });
    for (const splitBytes of [1, 3, 11]) t.equal((await call({ text: 'Grüße 🎉 日本', splitBytes }, { settings })).text, 'Grüße 🎉 日本');
    t.match((await call({ usage: 'none' }, { settings })).end, { type: 'end', usage: null });
    t.match((await call({ finish: 'length' }, { settings })).end, { finishReason: 'length' });
    t.match((await call({ finish: 'content_filter' }, { settings })).end, { finishReason: 'content_filter' });
  });

  t.test(`${api}: what is no answer of the API is model_failed`, async (t) => {
    await failsWith(t, call({ garbage: 'bad_json' }, { settings }), 'MODEL_FAILED', /not JSON/);
    await failsWith(t, call({ garbage: 'not_sse' }, { settings }), 'MODEL_FAILED', /cut off/);
    await failsWith(t, call({ garbage: 'html' }, { settings }), 'MODEL_FAILED', /something else than a stream of events/);
    await failsWith(t, call({ garbage: 'json_error' }, { settings }), 'MODEL_FAILED', /something else than a stream of events/);
    await failsWith(t, call({ garbage: 'shape' }, { settings }), 'MODEL_FAILED', /is not text/);
    await failsWith(t, call({ garbage: 'error_event' }, { settings }), 'MODEL_FAILED', /reported an error: scripted overload\./);
    await failsWith(t, call({ garbage: 'huge_line' }, { settings }), 'MODEL_FAILED', /too large/);
  });

  t.test(`${api}: a cut answer is model_failed and is not asked for again`, async (t) => {
    for (const step of [{ cut: 3 }, { stop: 3 }]) {
      const before = server.requests.length;
      await failsWith(t, call(step, { settings }), 'MODEL_FAILED', /cut off before its end/);
      t.equal(server.requests.length, before + 1);
    }
  });
}

t.test('a stream of chat completions without [DONE] is whole once it has a finish reason', async (t) => {
  t.match((await call({ text: 'Hello', noDone: true }, { settings: { api: 'chat_completions' } })).end, { type: 'end', finishReason: 'stop' });
});

t.test('failures before the first byte are tried again, as often as the agent says', async (t) => {
  for (const status of [408, 409, 429, 500, 503]) {
    t.equal((await call({ text: 'ok', fail: { status, times: 2, retryAfter: '0' } })).text, 'ok', `status ${status}`);
  }
  t.equal((await call({ text: 'ok', fail: { status: 0, times: 1, reset: true } })).text, 'ok', 'a reset connection');
  const before = server.requests.length;
  await failsWith(t, call({ fail: { status: 503, retryAfter: '0' } }), 'MODEL_FAILED', /status 503: scripted 503\.$/);
  t.equal(server.requests.length, before + 3);
  await failsWith(t, call({ cut: 0 }, { settings: { retries: 0 } }), 'MODEL_FAILED', /could not be reached \(UND_ERR_SOCKET\)/);
});

t.test('a retry is logged, with its reason and without the address', async (t) => {
  const { logged } = await call({ text: 'ok', fail: { status: 429, times: 1, retryAfter: '0' } });
  t.same(logged, ['warn model call: status 429; attempt 2 of 3 in 0 ms']);
});

t.test('a server that asks for more patience than the agent has is not asked again', async (t) => {
  const before = server.requests.length;
  await failsWith(t, call({ fail: { status: 429, retryAfter: '3600' } }), 'MODEL_FAILED', /asks to wait 3600 s/);
  t.equal(server.requests.length, before + 1);
});

t.test('other statuses are not tried again, and redirects are not followed', async (t) => {
  const before = server.requests.length;
  const unknown = call({ fail: { status: 400, message: 'Unknown parameter' } });
  await failsWith(t, unknown, 'MODEL_FAILED', /^The model's server answered with status 400: Unknown parameter\.$/);
  await failsWith(t, call({ fail: { status: 307 } }), 'MODEL_FAILED', /status 307/);
  t.equal(server.requests.length, before + 2);
});

t.test('a refused key is model_auth_failed in fixed words', async (t) => {
  for (const status of [401, 403]) {
    await failsWith(t, call({ fail: { status, message: `Incorrect key ${KEY}` } }), 'MODEL_AUTH_FAILED', /^The model refused the key\.$/);
  }
});

t.test('without a key, or with one that no header can carry, nothing is sent', async (t) => {
  const before = server.requests.length;
  await failsWith(t, call({}, { env: {}, settings: { baseUrl: null } }), 'MODEL_AUTH_FAILED', /OPENAI_API_KEY is not set/);
  await failsWith(t, call({}, { env: { OPENAI_API_KEY: 'sk\r\nx-evil: 1' } }), 'MODEL_AUTH_FAILED', /characters/);
  t.equal(server.requests.length, before);
  t.equal((await call({ echo: 'authorization' }, { env: {} })).text, 'none', 'a server of one\'s own may want no key');
});

t.test('the key and what the request set are taken out of the upstream\'s words', async (t) => {
  const message = `key ${KEY} and geheim-42 at https://user:pass@host failed\n${'x'.repeat(1000)}`;
  const failing = call({ fail: { status: 400, message } }, { env: { OPENAI_API_KEY: KEY, USER_SECRET: 'geheim-42' } });
  const error = await failing.then(() => new Error('none'), (reason: Error) => reason);
  t.match(error.message, /status 400: key \*\*\* and \*\*\* at https:\/\/\*\*\*@host failed x+…\.$/);
  t.ok(error.message.length < 400);
});

t.test('a silent server is given up after the timeout and is not asked again', async (t) => {
  for (const stall of ['headers', 'body', 3] as const) {
    const before = server.requests.length;
    await failsWith(t, call({ stall }, { settings: { timeoutMs: 150 } }), 'MODEL_FAILED', /silent for 0\.15 s/);
    t.equal(server.requests.length, before + 1);
    t.equal(await server.requests.at(-1)?.closed, false, 'the connection was closed');
  }
});

t.test('a slow answer with signs of life outlasts the timeout', async (t) => {
  t.equal((await call({ words: 8, delayMs: 40 }, { settings: { timeoutMs: 150 } })).text.split(' ').length, 8);
});

t.test('an abort closes the connection, before the answer, in it, and between attempts', async (t) => {
  for (const stall of ['headers', 3] as const) {
    const controller = new AbortController();
    const before = server.requests.length;
    const calling = call({ stall }, { signal: controller.signal });
    const request = await waitFor('the request', () => server.requests[before]);
    controller.abort(new Error('stopped'));
    await t.rejects(calling, new Error('stopped'));
    t.equal(await request.closed, false);
  }
  const controller = new AbortController();
  const before = server.requests.length;
  const calling = call({ fail: { status: 500, retryAfter: '4' } }, { signal: controller.signal });
  const request = await waitFor('the request', () => server.requests[before]);
  await request.closed;
  controller.abort(new Error('stopped'));
  await t.rejects(calling, new Error('stopped'));
});

t.test('a connection serves one call after the other', async (t) => {
  for (let round = 0; round < 5; round += 1) await call({ words: 3 });
  const before = await server.connections();
  for (let round = 0; round < 10; round += 1) await call({ words: 3 });
  t.ok((await server.connections()) <= before, 'no further connection was opened');
});

t.test('a server that cannot be reached is model_failed, with the code only', async (t) => {
  const settings = { baseUrl: 'http://127.0.0.1:1/v1', retries: 0 };
  await failsWith(t, call({}, { settings }), 'MODEL_FAILED', /could not be reached \(ECONNREFUSED\)/);
});

t.test('OPENAI_BASE_URL is used where the file names none', async (t) => {
  const { request } = await call({}, { settings: { baseUrl: null }, env: { OPENAI_API_KEY: KEY, OPENAI_BASE_URL: `${server.url}/?v=1` } });
  t.equal(request?.path, '/v1/responses?v=1');
  const bad = { OPENAI_API_KEY: KEY, OPENAI_BASE_URL: 'ftp://x' };
  await failsWith(t, call({}, { settings: { baseUrl: null }, env: bad }), 'MODEL_FAILED', /OPENAI_BASE_URL must be an http or https URL/);
});

t.test('a hundred calls at once keep their keys apart', async (t) => {
  const texts = await Promise.all(
    Array.from({ length: 100 }, async (_, n) => (await call({ echo: 'authorization' }, { env: { OPENAI_API_KEY: `sk-${n}` } })).text),
  );
  t.same(texts, Array.from({ length: 100 }, (_, n) => `Bearer sk-${n}`));
});

t.test('the model and the server close', async () => {
  await client.close();
  await server.close();
});

nothingIsLeft(t);
