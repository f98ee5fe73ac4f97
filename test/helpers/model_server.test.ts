// The scripted model server is itself held against the real client, so that what passes against it means something.
import OpenAI from 'openai';
import t from 'tap';
import { startModelServer } from './model_server.ts';

const server = await startModelServer();
const client = new OpenAI({ baseURL: server.url, apiKey: 'sk-test', maxRetries: 1 });
t.teardown(() => server.close());

const directive = (step: object) => `@model ${JSON.stringify(step)}`;
const tool = { name: 'add', description: 'adds', parameters: { type: 'object', properties: {} } };

t.test('the client streams a response', async (t) => {
  const stream = client.responses.stream({ model: 'm', input: directive({ text: 'Hello world', reasoning: 'let me think', splitBytes: 7 }) });
  const deltas: string[] = [];
  stream.on('response.output_text.delta', (event) => deltas.push(event.delta));
  const final = await stream.finalResponse();
  t.same(deltas, ['Hello', ' world']);
  t.equal(final.output_text, 'Hello world');
  t.equal(final.usage?.total_tokens, 9);
});

t.test('the client gets a whole response with tool calls', async (t) => {
  const input = directive({ calls: [{ name: 'add', arguments: { a: 1 } }] });
  const response = await client.responses.create({ model: 'm', input, tools: [{ type: 'function', strict: false, ...tool }] });
  const call = response.output.find((item) => item.type === 'function_call');
  t.equal(call?.arguments, '{"a":1}');
});

t.test('the client streams a chat completion with parallel tool calls', async (t) => {
  const content = directive({ text: 'So:', calls: [{ name: 'add', arguments: { a: 1 } }, { name: 'add', arguments: { a: 2 } }] });
  const stream = client.chat.completions.stream({
    model: 'm',
    stream_options: { include_usage: true },
    messages: [{ role: 'user', content }],
    tools: [{ type: 'function', function: tool }],
  });
  const final = await stream.finalChatCompletion();
  t.equal(final.choices[0]?.message.content, 'So:');
  t.same(final.choices[0]?.message.tool_calls?.map((call) => call.type === 'function' && call.function.arguments), ['{"a":1}', '{"a":2}']);
  t.equal(final.choices[0]?.finish_reason, 'tool_calls');
  t.equal(final.usage?.total_tokens, 8);
});

t.test('the client gets a whole chat completion, and steps for its turns', async (t) => {
  const content = directive([{ calls: [{ name: 'add', arguments: {} }] }, { text: 'Done.' }]);
  const first = await client.chat.completions.create({ model: 'm', messages: [{ role: 'user', content }] });
  const calls = first.choices[0]?.message.tool_calls ?? [];
  t.equal(calls.length, 1);
  const asked = [{ role: 'user', content } as const, { role: 'assistant', tool_calls: calls } as const];
  const result = { role: 'tool', tool_call_id: calls[0]?.id ?? '', content: '3' } as const;
  const second = await client.chat.completions.create({ model: 'm', messages: [...asked, result] });
  t.equal(second.choices[0]?.message.content, 'Done.');
});

t.test('the client retries a scripted failure, and is told of one that stays', async (t) => {
  const recovered = await client.responses.create({ model: 'm', input: directive({ text: 'ok', fail: { status: 500, times: 1, retryAfter: '0' } }) });
  t.equal(recovered.output_text, 'ok');
  await t.rejects(client.responses.create({ model: 'm', input: directive({ fail: { status: 401 } }) }), /401 scripted 401/);
});

t.test('the key, and what was sent, come back', async (t) => {
  const response = await client.responses.create({ model: 'm', input: directive({ echo: 'authorization' }) });
  t.equal(response.output_text, 'Bearer sk-test');
  t.equal(server.requests.at(-1)?.headers.authorization, 'Bearer sk-test');
  t.equal(await server.requests.at(-1)?.closed, true);
});
