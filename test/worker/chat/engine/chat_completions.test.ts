import t from 'tap';
import type { ModelItem, SessionItem } from '../../../../shared/chat.ts';
import { chatCompletionsEvents } from '../../../helpers/chat_completions_wire.ts';
import { makeContext } from '../../../helpers/interaction.ts';
import { contentOf, type ModelStep } from '../../../helpers/model_steps.ts';
import { createChatCompletionsApi } from '../../../../worker/chat/engine/chat_completions.ts';
import type { ModelEvent } from '../../../../worker/chat/engine/model.ts';

const tool = { name: 'add', description: 'adds', parameters: { type: 'object' } };
const api = createChatCompletionsApi({ modelId: 'm', params: { temperature: 0.2, max_tokens: 5, seed: 1 }, output: null });
const call = (items: readonly ModelItem[]) => ({
  instructions: 'Be brief.', items, tools: [tool], turn: 1, env: {}, logger: makeContext().logger,
});

function readData(data: readonly string[]): ModelEvent[] {
  const reader = api.reader([]);
  const events: ModelEvent[] = [];
  for (const text of data) reader.read({ data: text }, events);
  return events;
}

const chunk = (delta: object, finish_reason: string | null = null) => JSON.stringify({ choices: [{ index: 0, delta, finish_reason }] });

function readStep(step: ModelStep): ModelEvent[] {
  return readData(chatCompletionsEvents(contentOf(step, ''), 'm', true, true).map((event) => /data: (.*)/.exec(event.text)?.[1] ?? ''));
}

t.test('the request asks for usage and has its parameters by the API\'s names', async (t) => {
  t.same(api.body(call([])), {
    model: 'm', stream: true, stream_options: { include_usage: true }, max_completion_tokens: 5, temperature: 0.2, seed: 1,
    tools: [{ type: 'function', function: tool }], messages: [{ role: 'system', content: 'Be brief.' }],
  });
});

t.test('what was said between calls and their results stands in the message with the calls', async (t) => {
  const said = (words: string): SessionItem => ({ type: 'message', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: words }] });
  const called = (callId: string): SessionItem => ({ type: 'function_call', callId, name: 'add', arguments: '{}', status: 'completed' });
  const result = (callId: string): SessionItem => ({
    type: 'function_call_result', callId, name: 'add', status: 'completed', output: { type: 'text', text: callId },
  });
  const items = [called('a'), said('meanwhile'), called('b'), said('and'), result('a'), said('so'), result('b'), said('done'), called('orphan'), result('stray')];
  const { messages } = api.body(call(items)) as { messages: { role: string; content: unknown; tool_calls?: { id: string }[]; tool_call_id?: string }[] };
  t.same(messages.slice(1).map(({ role, content, tool_calls, tool_call_id }) => [role, content, tool_calls?.map(({ id }) => id) ?? tool_call_id]), [
    ['assistant', 'meanwhile\n\nand\n\nso', ['a', 'b']],
    ['tool', 'a', 'a'],
    ['tool', 'b', 'b'],
    ['assistant', 'done', undefined],
  ]);
});

t.test('the form of the answer, and a message in parts', async (t) => {
  const output = { name: 'total', schema: { type: 'object' }, strict: false };
  const { body } = createChatCompletionsApi({ modelId: 'm', params: {}, output });
  const parts = [{ type: 'input_text', text: 'look' }, { type: 'input_image', image: 'data:image/png;base64,AA==' }] as const;
  const request = body({ ...call([{ type: 'message', role: 'user', content: parts }]), tools: [] });
  t.same(request['response_format'], { type: 'json_schema', json_schema: output });
  t.notOk('tools' in request);
  t.same((request['messages'] as unknown[])[1], {
    role: 'user',
    content: [{ type: 'text', text: 'look' }, { type: 'image_url', image_url: { url: 'data:image/png;base64,AA==' } }],
  });
});

t.test('session items become messages, and the calls of one turn one message', async (t) => {
  const items: SessionItem[] = [
    { type: 'message', role: 'user', content: 'hi' },
    { type: 'message', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: 'So:' }] },
    { type: 'function_call', callId: 'c', name: 'add', arguments: '{}', status: 'completed' },
    { type: 'function_call', callId: 'd', name: 'add', arguments: '{}', status: 'completed' },
    { type: 'function_call_result', callId: 'd', name: 'add', status: 'completed', output: { type: 'text', text: '2' } },
    { type: 'function_call_result', callId: 'c', name: 'add', status: 'completed', output: { type: 'text', text: '1' } },
    { type: 'function_call', callId: 'e', name: 'add', arguments: '{}', status: 'completed' },
    { type: 'function_call_result', callId: 'e', name: 'add', status: 'completed', output: { type: 'text', text: '3' } },
  ];
  const wireCall = (id: string) => ({ id, type: 'function', function: { name: 'add', arguments: '{}' } });
  t.same((api.body(call(items))['messages'] as unknown[]).slice(1), [
    { role: 'user', content: 'hi' },
    { role: 'assistant', content: 'So:', tool_calls: [wireCall('c'), wireCall('d')] },
    { role: 'tool', tool_call_id: 'd', content: '2' },
    { role: 'tool', tool_call_id: 'c', content: '1' },
    { role: 'assistant', content: null, tool_calls: [wireCall('e')] },
    { role: 'tool', tool_call_id: 'e', content: '3' },
  ]);
});

t.test('reasoning, text, refusal and calls in pieces come in their order', async (t) => {
  const calls = [{ name: 'add', arguments: { a: 1 }, id: 'x' }, { name: 'add', arguments: { a: 2 }, id: 'y' }];
  t.same(readStep({ reasoning: 'think', text: 'One two', refusal: ' no', calls }), [
    { type: 'reasoning', text: 'think' },
    { type: 'text', text: 'One' },
    { type: 'text', text: ' two' },
    { type: 'text', text: ' no' },
    { type: 'tool_call', id: 'x', name: 'add', argumentsJson: '{"a":1}' },
    { type: 'tool_call', id: 'y', name: 'add', argumentsJson: '{"a":2}' },
    { type: 'end', finishReason: 'tool_calls', usage: { input_tokens: 7, output_tokens: 2, total_tokens: 9 } },
  ]);
});

t.test('what compatible servers do in their own way is understood', async (t) => {
  const whole = { tool_calls: [{ id: 'x', function: { name: 'add', arguments: { a: 1 } } }, { id: 'y', function: { name: 'add', arguments: '' } }] };
  t.match(readData([chunk(whole, 'tool_use'), '[DONE]']), [
    { type: 'tool_call', id: 'x', argumentsJson: '{"a":1}' }, { type: 'tool_call', id: 'y', argumentsJson: '{}' }, { finishReason: 'tool_calls' },
  ]);
  const google = [chunk({ reasoning: 'hm' }), chunk({ content: 'a' }, 'MAX_TOKENS'), '[DONE]'];
  t.match(readData(google), [{ type: 'reasoning' }, { type: 'text' }, { finishReason: 'length' }]);
  const azure = [JSON.stringify({ choices: [], prompt_filter_results: [] }), chunk({ content: 'a' }, 'stop'), '[DONE]'];
  t.match(readData(azure), [{ text: 'a' }, { finishReason: 'stop' }]);
  const id = readData([chunk({ tool_calls: [{ index: 0, function: { name: 'add' } }] }), '[DONE]'])[0];
  t.match(id, { type: 'tool_call', id: /^call_[0-9a-f-]{36}$/, argumentsJson: '{}' });
});

t.test('calls that were cut by the limit are no calls', async (t) => {
  const half = chunk({ tool_calls: [{ index: 0, id: 'x', function: { name: 'add', arguments: '{"a' } }] });
  t.match(readData([half, chunk({}, 'length'), '[DONE]']), [{ type: 'end', finishReason: 'length' }]);
});

t.test('the last of several counts is the usage', async (t) => {
  const counted = (completion_tokens: number) => JSON.stringify({ choices: [], usage: { prompt_tokens: 5, completion_tokens } });
  t.match(readData([counted(1), counted(2), '[DONE]']), [{ usage: { input_tokens: 5, output_tokens: 2, total_tokens: 7 } }]);
  t.match(readData([JSON.stringify({ choices: [], usage: { prompt_tokens: -1, completion_tokens: 'x' } }), '[DONE]']), [{ usage: null }]);
});

t.test('what is not the API\'s is model_failed', async (t) => {
  t.throws(() => readData(['{"choices":{}}']), { code: 'MODEL_FAILED', message: /without choices/ });
  t.throws(() => readData(['{"choices":["x"]}']), { code: 'MODEL_FAILED', message: /choice that is not an object/ });
  t.throws(() => readData([chunk({ tool_calls: ['x'] })]), { code: 'MODEL_FAILED', message: /tool call that is not an object/ });
  t.throws(() => readData([chunk({ tool_calls: [{ index: 0 }] }), '[DONE]']), { code: 'MODEL_FAILED', message: /without a name/ });
  const told = { code: 'MODEL_FAILED', message: 'The model\'s server reported an error: overloaded.' };
  t.throws(() => readData(['{"error":{"message":"overloaded"}}']), told);
});
