// What the events of an SDK run become in the answer, those that the scripted model never makes included.
import { Agent, type RunStreamEvent } from '@openai/agents';
import t from 'tap';
import { recordAnswer, type RecordingAnswer } from '../../../../helpers/recording_answer.ts';
import { createSdkEvents, type SdkEvents } from '../../../../../worker/chat/agents/sdk/events.ts';

const first = new Agent({ name: 'First' });
const second = new Agent({ name: 'Second' });

function start(): { readonly answer: RecordingAnswer; readonly events: SdkEvents } {
  const answer = recordAnswer('hi');
  return { answer, events: createSdkEvents(answer, first, ['sk-secret-key']) };
}

// Only what is read of an event: the SDK's classes want a whole run around them.
const raw = (data: object) => ({ type: 'raw_model_stream_event', data }) as RunStreamEvent;
const item = (name: string, rawItem: object, more: object = {}) => ({ type: 'run_item_stream_event', name, item: { rawItem, ...more } }) as RunStreamEvent;
const updated = (agent: object) => ({ type: 'agent_updated_stream_event', agent }) as RunStreamEvent;
const delta = (piece: unknown, itemId?: string) => raw({ type: 'output_text_delta', delta: piece, ...(itemId === undefined ? {} : { itemId }) });
const message = (text: string) => ({ type: 'message', role: 'assistant', content: [{ type: 'output_text', text }] });
const done = (...output: object[]) => raw({ type: 'response_done', response: { output } });
const call = (callId: string, name: string) => ({ type: 'function_call', callId, name, arguments: '{}' });
const result = (callId: string, output: unknown) => ({ type: 'function_call_result', callId, output });

t.test('pieces of another item are another message, also without ids', async (t) => {
  const { answer, events } = start();
  for (const event of [delta('a', '1'), delta('b', '1'), delta('c', '2'), done(), delta('d'), delta('e'), done()]) events.take(event);
  events.end('de');
  t.strictSame(answer.messages, ['ab', 'c', 'de']);
});

t.test('messages that came whole are told whole', async (t) => {
  const { answer, events } = start();
  events.take(done(message('one'), { type: 'reasoning' }, message(''), message('two')));
  events.end('two');
  t.strictSame(answer.messages, ['one', 'two']);
  const streamed = start();
  for (const event of [delta('one', '1'), done(message('one'))]) streamed.events.take(event);
  t.strictSame(streamed.answer.messages, ['one'], 'but not again');
});

t.test('pieces that are no text are left out', async (t) => {
  const { answer, events } = start();
  for (const event of [delta(42), delta(''), delta(null), done()]) events.take(event);
  t.strictSame(answer.log, []);
});

t.test('an output that is no message becomes one', async (t) => {
  const { answer, events } = start();
  events.take(delta('I roll.', '1'));
  events.end('six');
  t.strictSame(answer.messages, ['I roll.', 'six']);
});

t.test('reasoning is told as it comes, or else by its item', async (t) => {
  const { answer, events } = start();
  const reasoning = { type: 'reasoning', content: [{ type: 'input_text', text: 'hm' }] };
  const model = (event: object) => raw({ type: 'model', event });
  const chunks = [
    model({ type: 'response.reasoning_summary_text.delta', delta: 'h' }), model({ type: 'response.reasoning_text.delta', delta: 'm' }),
    model({ choices: [{ delta: { reasoning_content: '1' } }] }), model({ choices: [{ delta: { reasoning: '2' } }] }), model({ choices: [{}] }), model({ choices: 3 }),
  ];
  for (const event of [...chunks, done(), item('reasoning_item_created', reasoning)]) events.take(event);
  t.strictSame(answer.log, ['reasoning h', 'reasoning m', 'reasoning 1', 'reasoning 2']);
  for (const event of [raw({ type: 'response_started' }), done(), item('reasoning_item_created', reasoning)]) events.take(event);
  t.equal(answer.log.at(-1), 'reasoning hm');
});

t.test('the finish reason is that of the last call, where its API says one', async (t) => {
  const { events } = start();
  t.equal(events.finishReason, 'stop');
  const finish = (reason: string) => raw({ type: 'model', event: { choices: [{ finish_reason: reason }] } });
  events.take(finish('length'));
  t.equal(events.finishReason, 'length');
  for (const event of [raw({ type: 'response_started' }), finish('tool_calls')]) events.take(event);
  t.equal(events.finishReason, 'stop');
});

t.test('calls and results, of functions and of other tools, with the time that they took', async (t) => {
  const durations: number[] = [];
  const { answer, events } = start();
  const { toolResult } = answer;
  answer.toolResult = (id, name, content, isError, ms) => {
    durations.push(ms);
    toolResult(id, name, content, isError, ms);
  };
  events.toolStarted('a');
  events.take(item('tool_called', call('a', 'add')));
  events.toolEnded('a', '3');
  events.take(item('tool_called', { type: 'computer_call', callId: 'b', action: { type: 'click', x: 1 } }));
  events.take(item('tool_called', { type: 'hosted_tool_call', name: 'web_search_call' }));
  events.take(item('tool_output', result('a', { type: 'text', text: '3' })));
  events.take(item('tool_output', result('b', [{ type: 'input_text', text: 'see' }, { type: 'image' }])));
  events.take(item('tool_output', result('unknown', 'x')));
  t.strictSame(answer.log, [
    'tool_call add {}', 'tool_call computer {"type":"click","x":1}', 'tool_result add 3', 'tool_result computer see\n{"type":"image"}',
  ]);
  t.ok(durations.every((ms) => ms >= 0 && ms < 1000), durations.join());
});

t.test('what the package says of a tool that threw is an error, without secrets', async (t) => {
  const { answer, events } = start();
  events.take(item('tool_called', call('a', 'add')));
  events.take(item('tool_output', result('a', 'An error occurred while running the tool. Error: sk-secret-key is wrong')));
  t.equal(answer.log.at(-1), 'tool_result add error An error occurred while running the tool. Error: *** is wrong');
});

t.test('a handoff is a call, its result and the handoff; a second one in the same response is too late', async (t) => {
  const { answer, events } = start();
  events.take(item('handoff_requested', call('a', 'transfer_to_Second')));
  events.take(item('handoff_requested', call('b', 'transfer_to_Third')));
  events.take(item('handoff_occurred', result('a', { type: 'text', text: '{"assistant":"Second"}' }), { sourceAgent: first, targetAgent: second }));
  events.take(updated(second));
  t.strictSame(answer.log, [
    'tool_call transfer_to_Second {}', 'tool_call transfer_to_Third {}', 'tool_result transfer_to_Second {"assistant":"Second"}',
    'tool_result transfer_to_Third error The conversation has been handed over to Second already.', 'handoff First Second',
  ]);
});

t.test('a handoff whose filter takes its items out is told all the same', async (t) => {
  const { answer, events } = start();
  events.take(item('handoff_requested', call('a', 'transfer_to_Second')));
  events.take(updated(second));
  events.take(updated(second));
  t.strictSame(answer.log, ['tool_call transfer_to_Second {}', 'tool_result transfer_to_Second {"assistant":"Second"}', 'handoff First Second']);
});

t.test('results of the turn of such a handoff are told, too', async (t) => {
  const { answer, events } = start();
  events.take(item('tool_called', call('a', 'add')));
  events.take(item('handoff_requested', call('b', 'transfer_to_Second')));
  events.toolStarted('a');
  events.toolEnded('a', '3');
  events.take(updated(second));
  t.strictSame(answer.log, [
    'tool_call add {}', 'tool_call transfer_to_Second {}', 'tool_result add 3', 'tool_result transfer_to_Second {"assistant":"Second"}', 'handoff First Second',
  ]);
});
