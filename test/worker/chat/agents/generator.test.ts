import t from 'tap';
import { makeContext, runAgent } from '../../../helpers/interaction.ts';
import { recordAnswer } from '../../../helpers/recording_answer.ts';
import { waitFor } from '../../../helpers/wait_for.ts';
import { loadGenerator } from '../../../../worker/chat/agents/generator.ts';
import { createUsageMeter } from '../../../../worker/chat/engine/usage.ts';

const origin = { file: 'agent.ts', lineOf: () => null };
const agentOf = (chat: unknown, more: object = {}) => loadGenerator({ ...more, chat }, 'g', origin);
const yielding = (...values: readonly unknown[]) =>
  agentOf(async function* () {
    yield* values;
  });
const NO_EVENT = 'which is no event: expected text, reasoning, tool_call, tool_result, handoff or output';

t.test('strings and text events are the pieces of a message', async (t) => {
  const { answer, end } = await runAgent(yielding('Hel', { type: 'text', content: 'lo' }, ''), 'hi');
  t.same(answer.log, ['text Hel', 'text lo', 'end']);
  t.same(end, { usage: null, model: null, finishReason: 'stop' });
});

t.test('another number, and whatever stands between, begins another message', async (t) => {
  const text = (content: string, message?: number) => ({ type: 'text', content, message });
  t.same((await runAgent(yielding(text('a', 1), 'b', text('c', 1), text('d', 2)), 'hi')).answer.messages, ['abc', 'd']);
  const call = { type: 'tool_call', id: 'x', name: 'find', arguments: { q: 1 } };
  const result = { type: 'tool_result', id: 'x', content: 'found' };
  const { answer } = await runAgent(yielding('one', call, result, 'two', { type: 'handoff', from: 'a', to: 'b' }, 'three'), 'hi');
  t.same(answer.messages, ['one', 'two', 'three']);
  const rest = answer.log.filter((line) => !line.startsWith('text'));
  t.same(rest, ['end', 'tool_call find {"q":1}', 'tool_result find found', 'end', 'handoff a b', 'end']);
});

t.test('reasoning and the output\'s figures go through', async (t) => {
  const token_usage = { input_tokens: 1, output_tokens: 2, total_tokens: 3 };
  const model = { model_id: 'm', provider: 'p' };
  const output = { type: 'output', token_usage, model, finish_reason: 'length' };
  const { answer, end } = await runAgent(yielding({ type: 'reasoning', content: 'hm' }, 'ok', output), 'hi');
  t.same(answer.log, ['reasoning hm', 'text ok', 'end']);
  t.same(end, { usage: token_usage, model, finishReason: 'length' });
});

t.test('the last message is what the output says', async (t) => {
  t.same((await runAgent(yielding('a', 'b', { type: 'output', content: 'ab' }), 'hi')).answer.messages, ['ab']);
  t.same((await runAgent(yielding('a', { type: 'output', content: 'z' }), 'hi')).answer.messages, ['a', 'z']);
  t.same((await runAgent(yielding({ type: 'output', content: 'z' }), 'hi')).answer.messages, ['z']);
  t.same((await runAgent(yielding('a', { type: 'output', content: '' }), 'hi')).answer.messages, ['a']);
});

t.test('anything else is agent_failed with a sentence that says what it was', async (t) => {
  const cases: readonly (readonly [readonly unknown[], string])[] = [
    [[42], `a number, ${NO_EVENT}`],
    [[null], `null, ${NO_EVENT}`],
    [[{ a: 1 }], `an object without a type, ${NO_EVENT}`],
    [[{ type: 'txt', content: 'x' }], `an event of type "txt", ${NO_EVENT}`],
    [[{ type: 'text', content: 1 }], 'an event of type "text" whose content is not valid'],
    [[{ type: 'tool_result', id: 'x', content: '' }], 'a tool_result whose id no tool_call had'],
    [[{ type: 'output', token_usage: { input_tokens: -1 } }], 'an event of type "output" whose token_usage.input_tokens is not valid'],
    [[{ type: 'output' }, 'more'], 'a string after its output, which must be the last'],
    [[{ type: 'output' }, { type: 'output' }], 'an event of type "output" after its output, which must be the last'],
  ];
  for (const [values, words] of cases) {
    await t.rejects(runAgent(yielding(...values), 'hi'), { code: 'AGENT_FAILED', message: `The agent yielded ${words}.` });
  }
  await t.rejects(runAgent(agentOf(() => 'text'), 'hi'), { code: 'AGENT_FAILED', message: /no async generator/ });
});

t.test('an error\'s own words are passed on only where they are harmless', async (t) => {
  const messageOf = async (error: unknown): Promise<string> => {
    const chat = async function* () {
      yield 'a';
      throw error;
    };
    try {
      await runAgent(agentOf(chat, { request_env: ['MY_TOKEN'] }), 'hi', { env: { MY_TOKEN: 'secret-token' } });
      return 'no error';
    } catch (failed) {
      t.match(failed, { code: 'AGENT_FAILED', cause: error }, 'the cause is kept for the log');
      return failed instanceof Error ? failed.message : '';
    }
  };
  t.equal(await messageOf(new Error('The stock is empty.')), 'The stock is empty.');
  t.equal(await messageOf(new Error('refused secret-token')), 'refused ***');
  for (const hidden of ["ENOENT: open '/etc/agent'", 'C:\\agent failed', 'see https://host', 'a\nb', 'x'.repeat(201), '']) {
    t.equal(await messageOf(new Error(hidden)), 'The agent failed.', hidden.slice(0, 20));
  }
  t.equal(await messageOf('text'), 'The agent failed.');
});

t.test('an abort ends the generator, and does not wait for one that takes no notice', async (t) => {
  for (const deaf of [false, true]) {
    let cleaned = false;
    let waiting = false;
    const agent = agentOf(async function* (_input: unknown, context: { signal: AbortSignal }) {
      try {
        yield 'a';
        waiting = true;
        await new Promise((resolve) => deaf || context.signal.addEventListener('abort', resolve));
        yield 'late';
      } finally {
        cleaned = true;
      }
    });
    const controller = new AbortController();
    const answer = recordAnswer('hi');
    const running = agent.run({ message: 'hi', history: [], turnCount: 0 }, makeContext({ signal: controller.signal }), answer, createUsageMeter());
    await waitFor('the generator', () => waiting);
    controller.abort(new Error('stopped'));
    await t.rejects(running, new Error('stopped'));
    if (!deaf) await waitFor('its end', () => cleaned);
    t.same(answer.log, ['text a']);
  }
});

t.test('what it does after an abort is followed, until it has ended', async (t) => {
  for (const clean of ['at once', 'later']) {
    const gate = Promise.withResolvers<void>();
    const agent = agentOf(async function* (_input: unknown, { signal }: { signal: AbortSignal }) {
      try {
        yield 'a';
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      } finally {
        if (clean === 'later') await gate.promise;
      }
    });
    const controller = new AbortController();
    const answer = recordAnswer('hi');
    const running = agent.run({ message: 'hi', history: [], turnCount: 0 }, makeContext({ signal: controller.signal }), answer, createUsageMeter());
    await waitFor('the generator', () => answer.pieces() === 1);
    controller.abort(new Error('stopped'));
    await t.rejects(running, new Error('stopped'));
    t.equal(answer.followed.length, 2, 'its next, and its return');
    const all = Promise.allSettled(answer.followed).then(() => 'ended');
    if (clean === 'later') t.equal(await Promise.race([all, new Promise((resolve) => setImmediate(resolve, 'runs'))]), 'runs');
    gate.resolve();
    t.equal(await all, 'ended');
  }
});

t.test('a reader that is behind holds the generator back', async (t) => {
  let made = 0;
  const agent = agentOf(async function* () {
    for (; made < 3; made += 1) yield `${made}`;
  });
  const answer = recordAnswer('hi');
  const { promise, resolve } = Promise.withResolvers<void>();
  answer.hold(promise);
  const running = agent.run({ message: 'hi', history: [], turnCount: 0 }, makeContext(), answer, createUsageMeter());
  await waitFor('a piece', () => answer.pieces() === 1);
  await new Promise(setImmediate);
  t.equal(made, 0);
  answer.hold(undefined);
  resolve();
  await running;
  t.equal(answer.pieces(), 3);
});
