// Bodies of any kind of JSON, and of none: every answer is a 200 or a 4xx, and the server goes on.
import fc from 'fast-check';
import { Agent } from 'node:http';
import t from 'tap';
import { send, type Answer } from '../../helpers/http_client.ts';
import { endsCleanly, serve } from '../../helpers/serve.ts';

const server = await serve(t, 'quiet');
const { url } = server;
// One connection for them all: to look up whose a new one is takes longer than to answer.
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const chat = (body: unknown): Promise<Answer> => send(url, '/chat', { method: 'POST', body, agent });
/** The same cases on every run. */
const RUNS = { seed: 20_260_101, numRuns: 120 };

const FIELDS = [
  'message', 'session_id', 'user_id', 'interaction_id', 'verbose', 'env', 'on_disconnect', 'disconnect_grace_ms', 'files', '__proto__', 'constructor',
];
const POISON = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'then', 'toJSON'];

async function statusOf(body: string): Promise<number> {
  const { status, json } = await chat(body);
  if (status >= 400 && (typeof json['detail'] !== 'string' || json['status'] !== status)) throw new Error(`no problem: ${JSON.stringify(json)}`);
  return status;
}
const isAnswered = (status: number): boolean => status === 200 || (status >= 400 && status < 500);

t.test('any JSON', async () => {
  await fc.assert(fc.asyncProperty(fc.json({ maxDepth: 6 }), async (body) => isAnswered(await statusOf(body))), RUNS);
});

t.test('any value in any field, beside a message that is right', async () => {
  const body = fc.record({ field: fc.constantFrom(...FIELDS), value: fc.jsonValue() });
  const assertion = fc.asyncProperty(
    body,
    async ({ field, value }) => isAnswered(await statusOf(`{"message":"hi",${JSON.stringify(field)}:${JSON.stringify(value)}}`)),
  );
  await fc.assert(assertion, RUNS);
});

t.test('messages that are objects with any keys', async () => {
  const key = fc.oneof(fc.constantFrom(...POISON, 'content', 'text'), fc.string());
  const message = fc.array(fc.tuple(key, fc.jsonValue()), { maxLength: 5 });
  const assertion = fc.asyncProperty(message, async (entries) => {
    const object = entries.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',');
    return isAnswered(await statusOf(`{"message":{${object}}}`));
  });
  await fc.assert(assertion, RUNS);
});

t.test('any text as a message, and as the ids', async () => {
  const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 });
  const assertion = fc.asyncProperty(text, text, async (message, id) => {
    const { status, json } = await chat({ message, session_id: id, user_id: id });
    return status === 422 || (status === 200 && json['session_id'] === id);
  });
  await fc.assert(assertion, RUNS);
});

t.test('a body that is cut anywhere is malformed', async () => {
  const body = JSON.stringify({ message: { content: 'hi', more: [1, { a: 'é🙂' }] }, verbose: true, env: {} });
  const bytes = Buffer.from(body);
  const cut = fc.integer({ min: 0, max: bytes.length - 1 });
  await fc.assert(fc.asyncProperty(cut, async (end) => (await chat(bytes.subarray(0, end))).status === 400), RUNS);
});

t.test('any bytes', async () => {
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => isAnswered((await chat(Buffer.from(bytes))).status)), RUNS);
});

t.test('depth, in the message and elsewhere', async (t) => {
  const deep = (open: string, close: string, levels = 100_000): string => open.repeat(levels) + close.repeat(levels);
  t.equal(await statusOf(deep('[', ']')), 422);
  t.equal(await statusOf(`{"message":${deep('[', ']')}}`), 422);
  t.equal(await statusOf(`{"message":{"a":${deep('[', ']')}}}`), 422);
  t.equal(await statusOf(`{"message":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`), 422);
  t.equal(await statusOf(`{"message":"hi","env":${deep('[', ']')}}`), 422);
  t.equal(await statusOf(`{"message":"hi","unknown":${deep('[', ']')}}`), 200);
  t.equal(await statusOf(`{"message":"hi","env":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`), 422);
  t.equal(await statusOf('['.repeat(100_000)), 400);
});

t.test('breadth', async (t) => {
  const keys = Array.from({ length: 50_000 }, (_, index) => `"k${index}":null`).join(',');
  t.equal(await statusOf(`{"message":"hi",${keys}}`), 200);
  t.equal(await statusOf(`{"message":{${keys}}}`), 200);
  t.equal(await statusOf(`{"message":"hi","env":{${keys.replaceAll('null', '"x"')}}}`), 422);
});

t.test('numbers that are too large for a number', async (t) => {
  for (const number of ['1e999', '-1e999', '9'.repeat(400), '1e-999', '0.1e-400', '-0', '9007199254740993']) {
    t.ok(isAnswered(await statusOf(`{"message":"hi","disconnect_grace_ms":${number}}`)), number);
    t.equal(await statusOf(`{"message":{"n":${number}}}`), 200);
    t.equal(await statusOf(`{"message":${number}}`), 422);
  }
});

t.test('keys of prototypes are keys like others', async (t) => {
  const { json } = await chat('{"message":{"__proto__":{"content":"poison"},"constructor":{"prototype":{"text":"poison"}},"a":1}}');
  t.match(json['response'], '"a":1');
  t.equal(await statusOf('{"__proto__":{"message":"hi"}}'), 422);
  t.equal(await statusOf('{"message":"hi","message":5}'), 422, 'the last of two counts');
});

t.test('the server is healthy, and the same process as before', async (t) => {
  t.match((await send(url, '/status', { agent })).json, { active_requests: 0, queued_requests: 0, workers: [{ id: 1, state: 'ready' }] });
  t.equal(server.process.exitCode, null);
  t.notMatch(server.output.stderr, /"level":"(error|fatal)"/);
});

t.test('its connection is let go', async () => agent.destroy());

endsCleanly(t, server);
