import t from 'tap';
import { makeContext } from '../../../helpers/interaction.ts';
import { recordAnswer } from '../../../helpers/recording_answer.ts';
import { waitFor } from '../../../helpers/wait_for.ts';
import type { Model, ModelCall, ModelEvent } from '../../../../worker/chat/engine/model.ts';
import type { Output } from '../../../../worker/chat/engine/output.ts';
import { createToolboxes } from '../../../../worker/chat/engine/toolbox.ts';
import type { Tool } from '../../../../worker/chat/engine/tools.ts';
import type { TurnAgent } from '../../../../worker/chat/engine/turn_agent.ts';
import { runTurns } from '../../../../worker/chat/engine/turns.ts';
import { createUsageMeter } from '../../../../worker/chat/engine/usage.ts';

const usage = { input_tokens: 10, output_tokens: 2, total_tokens: 12 };
const text = (words: string): ModelEvent => ({ type: 'text', text: words });
const stop: ModelEvent = { type: 'end', finishReason: 'stop', usage };
const toolTurn: readonly ModelEvent[] = [
  { type: 'tool_call', id: 'a', name: 'now', argumentsJson: '{}' },
  { type: 'end', finishReason: 'tool_calls', usage },
];

/** A model that says these turns, each in chunks, and remembers what it was asked. */
function scripted(...turns: readonly (readonly (readonly ModelEvent[])[])[]): Model & { readonly calls: ModelCall[] } {
  const calls: ModelCall[] = [];
  return {
    calls,
    nameFor: () => ({ model_id: 'm', provider: 'test' }),
    async *call(call) {
      calls.push(call);
      yield* turns[calls.length - 1] ?? turns.at(-1) ?? [];
    },
  };
}

const now: Tool = { name: 'now', description: 'now', parameters: {}, timeoutMs: 1_000, validate: (args) => args, execute: () => 'noon' };

async function run(model: Model, overrides: { readonly maxTurns?: number; readonly output?: Output; readonly answer?: ReturnType<typeof recordAnswer> } = {}) {
  const answer = overrides.answer ?? recordAnswer('What time is it?');
  const meter = createUsageMeter();
  const agent: TurnAgent = {
    name: 'exact',
    model,
    instructions: () => 'Be exact.',
    output: overrides.output ?? null,
    handoffs: new Map(),
    openTools: createToolboxes({ own: [now], mcp: null, agents: [], handoffs: [] }),
  };
  const input = { message: 'What time is it?', history: [], turnCount: 4, files: [] };
  const end = await runTurns(agent, overrides.maxTurns ?? 3, input, { context: makeContext(), answer, usage: meter });
  return { end, answer };
}

t.test('the model is told the instructions, the history and the turn so far, results included', async (t) => {
  const model = scripted([[text('Let me see.')], toolTurn], [[text('No'), text('on.')], [stop]]);
  const { end, answer } = await run(model);
  t.same(answer.messages, ['Let me see.', 'Noon.']);
  t.same(answer.log, ['text Let me see.', 'end', 'tool_call now {}', 'tool_result now noon', 'text No', 'text on.', 'end']);
  const types = model.calls.map((call) => call.items.map((item) => item.type));
  t.same(types, [['message'], ['message', 'message', 'function_call', 'function_call_result']]);
  t.match(model.calls[0], { instructions: 'Be exact.', turn: 5 });
  t.same(end, { usage: { input_tokens: 20, output_tokens: 4, total_tokens: 24 }, model: { model_id: 'm', provider: 'test' }, finishReason: 'stop' });
});

t.test('an agent that never comes to an answer ends with max_turns, and its last calls are not run', async (t) => {
  const model = scripted([toolTurn]);
  const answer = recordAnswer('go');
  await t.rejects(run(model, { maxTurns: 2, answer }), { code: 'MAX_TURNS', message: 'The agent had no answer after 2 turns.' });
  t.equal(model.calls.length, 2);
  t.same(answer.log.filter((line) => line.startsWith('tool_result')), ['tool_result now noon']);
});

t.test('a reader that is behind holds the model back', async (t) => {
  const answer = recordAnswer('go');
  const { promise, resolve } = Promise.withResolvers<void>();
  answer.hold(promise);
  const running = run(scripted([[text('one')], [text('two')], [stop]]), { answer });
  await waitFor('the first chunk', () => answer.pieces() === 1);
  await new Promise(setImmediate);
  t.equal(answer.pieces(), 1);
  answer.hold(undefined);
  resolve();
  await running;
  t.equal(answer.pieces(), 2);
});

const yes: Output = {
  format: { name: 'yes', schema: {}, strict: false },
  problemOf: (answer) => (answer === 'yes' ? null : `it is ${JSON.stringify(answer)}`),
};

t.test('an answer of the wrong form may be said again once, and neither the reader nor the session is told why', async (t) => {
  const model = scripted([[text('no'), stop]], [[text('yes'), stop]]);
  const { end, answer } = await run(model, { output: yes, maxTurns: 1 });
  t.same(answer.messages, ['no', 'yes']);
  t.equal(answer.items.length, 3);
  t.same(model.calls[1]?.items.at(-1), {
    type: 'message',
    role: 'user',
    content: 'Your answer does not fit the schema: it is "no". Answer again, with JSON that fits it and nothing else.',
  });
  t.equal(end.usage?.total_tokens, 24);
});

t.test('what it was told stays at its place when tools run before it answers again', async (t) => {
  const model = scripted([[text('no'), stop]], [toolTurn], [[text('yes'), stop]]);
  const { answer } = await run(model, { output: yes });
  t.same(answer.messages, ['no', 'yes']);
  t.same(model.calls[2]?.items.map((item) => ('role' in item ? item.role : item.type)), ['user', 'assistant', 'user', 'function_call', 'function_call_result']);
});

t.test('an answer that was cut at its limit is not asked for again', async (t) => {
  const model = scripted([[text('y'), { type: 'end', finishReason: 'length', usage }]]);
  await t.rejects(run(model, { output: yes }), { code: 'OUTPUT_INVALID', message: /cut at its limit of tokens/ });
  t.equal(model.calls.length, 1);
});

t.test('an answer that is wrong twice is output_invalid', async (t) => {
  for (const words of ['no', '']) {
    const model = scripted([[text(words), stop]]);
    await t.rejects(run(model, { output: yes, maxTurns: 5 }), { code: 'OUTPUT_INVALID', message: `The answer does not fit the agent's output_schema: it is ${JSON.stringify(words)}.` });
    t.equal(model.calls.length, 2);
  }
});
