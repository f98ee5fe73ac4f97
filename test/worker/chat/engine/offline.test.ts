import t from 'tap';
import type { ModelItem, SessionItem } from '../../../../shared/chat.ts';
import { makeContext } from '../../../helpers/interaction.ts';
import type { ModelEvent } from '../../../../worker/chat/engine/model.ts';
import { createOfflineModel } from '../../../../worker/chat/engine/offline.ts';

const tool = { name: 'add', description: 'adds', parameters: { type: 'object', examples: [{ a: 1 }] } };
const model = createOfflineModel('Set OPENAI_API_KEY.', null);
const asked = (content: string): SessionItem => ({ type: 'message', role: 'user', content });

async function say(items: readonly ModelItem[], turn = 1, signal = new AbortController().signal): Promise<ModelEvent[]> {
  const call = { instructions: 'two words', items, tools: [tool], turn, env: {}, logger: makeContext().logger };
  const events: ModelEvent[] = [];
  for await (const chunk of model.call(call, signal)) events.push(...chunk);
  return events;
}

const textOf = (events: readonly ModelEvent[]) => events.map((event) => (event.type === 'text' ? event.text : '')).join('');

t.test('it says what it is, what would replace it, which turn this is and which tools it has', async (t) => {
  t.equal(
    textOf(await say([asked('Hi there')], 3)),
    'Hello! I am the offline model: I answer without a network, always in the same way, so that you can try the server around me. ' +
      'Set OPENAI_API_KEY. This is turn 3 of our session, and you said: "Hi there". I can call add: send a line such as /tool add {"a":1}.',
  );
  t.same(model.nameFor({}), { model_id: 'offline', provider: 'offline' });
});

t.test('it says which files came', async (t) => {
  const content = [
    { type: 'input_text', text: 'Look' },
    { type: 'input_text', text: '[file: a, b.png, image/png, 3 bytes]' },
    { type: 'input_image', image: 'data:,' },
    { type: 'input_text', text: '[file: c.txt, text/plain, 2 bytes]\nhi\n[end of c.txt]' },
  ] as const;
  t.match(textOf(await say([{ type: 'message', role: 'user', content }])), 'you said: "Look". With it came a, b.png, c.txt, which only a real model reads. I can');
});

t.test('it answers the same in the same words, one at a time, and counts them', async (t) => {
  const events = await say([asked('What is this?')]);
  t.same(events, await say([asked('What is this?')]));
  const words = events.filter((event) => event.type === 'text');
  t.ok(words.every((event) => /^\S+\s*$/.test(event.text)));
  const usage = { input_tokens: 5, output_tokens: words.length, total_tokens: 5 + words.length };
  t.same(events.at(-1), { type: 'end', finishReason: 'stop', usage });
});

t.test('a line /tool calls that tool, and several call several', async (t) => {
  const events = await say([asked('Please:\n/tool add {"a": 2}\n/tool now')], 2);
  t.same(events.slice(0, -1), [
    { type: 'tool_call', id: 'offline_2_1', name: 'add', argumentsJson: '{"a": 2}' },
    { type: 'tool_call', id: 'offline_2_2', name: 'now', argumentsJson: '{}' },
  ]);
  t.match(events.at(-1), { type: 'end', finishReason: 'tool_calls' });
});

t.test('the results of tools are reported', async (t) => {
  const items: SessionItem[] = [
    asked('/tool add {}'),
    { type: 'function_call', callId: 'x', name: 'add', arguments: '{}', status: 'completed' },
    { type: 'function_call_result', callId: 'x', name: 'add', status: 'completed', output: { type: 'text', text: 'three  spaces' } },
  ];
  t.equal(textOf(await say(items)), 'The tool add returned: three  spaces');
});

t.test('long messages are quoted in part', async (t) => {
  t.match(textOf(await say([asked('word '.repeat(1000))])), /word w?o?…"/);
});

t.test('it stops when the interaction is aborted', async (t) => {
  await t.rejects(say([asked('hi')], 1, AbortSignal.abort(new Error('stopped'))), new Error('stopped'));
});
