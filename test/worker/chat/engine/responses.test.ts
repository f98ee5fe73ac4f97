import t from 'tap';
import type { ModelItem, SessionItem } from '../../../../shared/chat.ts';
import { makeContext } from '../../../helpers/interaction.ts';
import { responsesEvents } from '../../../helpers/responses_wire.ts';
import { contentOf, type ModelStep } from '../../../helpers/model_steps.ts';
import type { ModelEvent } from '../../../../worker/chat/engine/model.ts';
import { createResponsesApi } from '../../../../worker/chat/engine/responses.ts';

const tool = { name: 'add', description: 'adds', parameters: { type: 'object' } };
const api = createResponsesApi({ modelId: 'm', params: { temperature: 0.2, max_tokens: 5, top_p: 0.9 }, output: null });
const call = (items: readonly ModelItem[], instructions = 'Be brief.') => ({
  instructions, items, tools: [tool], turn: 1, env: {}, logger: makeContext().logger,
});

/** Reads events of type and fields, as they stand on the wire; `named` says whether they have an `event:` line. */
function read(events: readonly object[], named = false): ModelEvent[] {
  const reader = api.reader([]);
  const read: ModelEvent[] = [];
  for (const event of events) reader.read({ data: JSON.stringify(event), ...(named ? { event: (event as { type: string }).type } : {}) }, read);
  return read;
}

/** What the scripted server would stream for a step. */
function readStep(step: ModelStep): ModelEvent[] {
  return read(responsesEvents(contentOf(step, ''), 'm').map((event) => JSON.parse(/data: (.*)/.exec(event.text)?.[1] ?? '') as object), true);
}

t.test('the request has the model, its parameters by the API\'s names, the tools and no store', async (t) => {
  t.same(api.body(call([])), {
    model: 'm', stream: true, store: false, max_output_tokens: 5, temperature: 0.2, top_p: 0.9,
    tools: [{ type: 'function', strict: false, ...tool }], instructions: 'Be brief.', input: [],
  });
  t.same(createResponsesApi({ modelId: 'm', params: { store: true }, output: null }).body({ ...call([], ''), tools: [] }), {
    model: 'm', stream: true, store: true, input: [],
  });
});

t.test('the form of the answer stands beside what the parameters say of its text', async (t) => {
  const output = { name: 'total', schema: { type: 'object' }, strict: true };
  const body = createResponsesApi({ modelId: 'm', params: { text: { verbosity: 'low' } }, output }).body(call([]));
  t.same(body['text'], { verbosity: 'low', format: { type: 'json_schema', ...output } });
});

t.test('a message in parts and what only other agents keep', async (t) => {
  const parts = [{ type: 'input_text', text: 'look' }, { type: 'input_image', image: 'data:image/png;base64,AA==' }] as const;
  const reasoning = { type: 'reasoning', content: [] } as unknown as SessionItem;
  const result = { type: 'function_call_result', callId: 'c', name: 'add', status: 'completed', output: 'two' } as unknown as SessionItem;
  const called: SessionItem = { type: 'function_call', callId: 'c', name: 'add', arguments: '{}', status: 'completed' };
  const orphan: SessionItem = { ...called, callId: 'orphan' };
  t.same(api.body(call([{ type: 'message', role: 'user', content: parts }, reasoning, called, result, orphan]))['input'], [
    { role: 'user', content: [{ type: 'input_text', text: 'look' }, { type: 'input_image', image_url: 'data:image/png;base64,AA==', detail: 'auto' }] },
    { type: 'function_call', call_id: 'c', name: 'add', arguments: '{}' },
    { type: 'function_call_output', call_id: 'c', output: 'two' },
  ]);
});

t.test('session items become input items', async (t) => {
  const items: SessionItem[] = [
    { type: 'message', role: 'user', content: 'hi' },
    { type: 'message', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: 'hel' }, { type: 'output_text', text: 'lo' }] },
    { type: 'function_call', callId: 'c', name: 'add', arguments: '{"a":1}', status: 'completed' },
    { type: 'function_call', callId: 'd', name: 'add', arguments: '{"a":', status: 'completed' },
    { type: 'function_call_result', callId: 'c', name: 'add', status: 'completed', output: { type: 'text', text: '2' } },
    { type: 'function_call_result', callId: 'd', name: 'add', status: 'completed', output: { type: 'text', text: '3' } },
  ];
  t.same(api.body(call(items))['input'], [
    { role: 'user', content: 'hi' },
    { role: 'assistant', content: 'hello' },
    { type: 'function_call', call_id: 'c', name: 'add', arguments: '{"a":1}' },
    { type: 'function_call', call_id: 'd', name: 'add', arguments: '{}' },
    { type: 'function_call_output', call_id: 'c', output: '2' },
    { type: 'function_call_output', call_id: 'd', output: '3' },
  ]);
});

t.test('reasoning, several messages and calls come in their order', async (t) => {
  t.same(readStep({ reasoning: 'think', messages: ['One two', 'Three'], calls: [{ name: 'add', arguments: { a: 1 }, id: 'x' }] }), [
    { type: 'reasoning', text: 'think' },
    { type: 'text', text: 'One' },
    { type: 'text', text: ' two' },
    { type: 'message_end' },
    { type: 'text', text: 'Three' },
    { type: 'message_end' },
    { type: 'tool_call', id: 'x', name: 'add', argumentsJson: '{"a":1}' },
    { type: 'end', finishReason: 'tool_calls', usage: { input_tokens: 7, output_tokens: 3, total_tokens: 10 } },
  ]);
});

t.test('a refusal is text', async (t) => {
  t.same(readStep({ refusal: 'I will not.', usage: 'none' }), [
    { type: 'text', text: 'I will not.' }, { type: 'message_end' }, { type: 'end', finishReason: 'stop', usage: null },
  ]);
});

t.test('a server that tells whole items only, or only in its end, is understood', async (t) => {
  const output = [
    { type: 'message', content: [{ type: 'output_text', text: 'whole' }] },
    { type: 'function_call', name: 'add', arguments: '' , call_id: 'x' },
  ];
  const expected = [{ type: 'text', text: 'whole' }, { type: 'message_end' }, { type: 'tool_call', id: 'x', name: 'add', argumentsJson: '{}' }];
  t.same(read([{ type: 'response.completed', response: { output } }]).slice(0, -1), expected);
  const done = output.map((item, output_index) => ({ type: 'response.output_item.done', output_index, item }));
  t.same(read([...done, { type: 'response.completed', response: { output } }]).slice(0, -1), expected);
});

t.test('a call that was cut by the limit is no call', async (t) => {
  const item = { type: 'function_call', name: 'add', arguments: '{"a', call_id: 'x', status: 'incomplete' };
  const response = { output: [item], incomplete_details: { reason: 'max_output_tokens' } };
  t.match(read([{ type: 'response.incomplete', response }]), [{ type: 'end', finishReason: 'length' }]);
});

t.test('unknown events are passed over, and nothing counts after the end', async (t) => {
  const end = { type: 'response.completed', response: { output: [] } };
  t.match(read([{ type: 'response.new_thing', delta: 1 }, end, { type: 'response.output_text.delta', delta: 'late' }]), [{ type: 'end' }]);
});

t.test('a failed response is model_failed in its own words', async (t) => {
  const failed = { type: 'response.failed', response: { error: { code: 'server_error', message: 'overloaded' } } };
  t.throws(() => read([failed]), { code: 'MODEL_FAILED', message: 'The model\'s server reported an error: overloaded.' });
  t.throws(() => read([{ type: 'error', message: 'bad' }]), { code: 'MODEL_FAILED', message: 'The model\'s server reported an error: bad.' });
  t.throws(() => read([{ delta: 'x' }]), { code: 'MODEL_FAILED', message: /without a type/ });
  t.throws(() => read([[] as object]), { code: 'MODEL_FAILED', message: /not an object/ });
});
