import t from 'tap';
import { z } from 'zod';
import { makeContext } from '../../../helpers/interaction.ts';
import { nothingIsLeft } from '../../../helpers/leftovers.ts';
import { recordAnswer } from '../../../helpers/recording_answer.ts';
import { waitFor } from '../../../helpers/wait_for.ts';
import { toolParameters } from '../../../../worker/chat/agents/tool_schema.ts';
import type { AgentContext } from '../../../../worker/chat/agents/agent.ts';
import { runTools, type Tool } from '../../../../worker/chat/engine/tools.ts';

type Execute = (args: never, context: AgentContext) => unknown;

function tool(name: string, execute: Execute, parameters?: unknown, timeoutMs = 1_000): Tool {
  const { schema, validate } = toolParameters(parameters);
  return { name, description: name, parameters: schema, validate, timeoutMs, execute: execute as Tool['execute'] };
}

async function run(
  tools: readonly Tool[],
  calls: readonly (readonly [string, string])[],
  context: AgentContext = makeContext(),
  answer = recordAnswer('hi'),
): Promise<readonly string[]> {
  const named = calls.map(([name, argumentsJson], index) => ({ id: `c${index}`, name, argumentsJson }));
  await runTools(named, new Map(tools.map((item) => [item.name, item])), context, answer);
  return answer.log;
}

t.test('a result that is no string becomes JSON, and what JSON cannot say becomes text', async (t) => {
  const circle: Record<string, unknown> = { name: 'circle' };
  circle['self'] = circle;
  const cases: readonly (readonly [unknown, string])[] = [
    ['text', 'text'],
    [undefined, ''],
    [null, 'null'],
    [{ a: 1 }, '{"a":1}'],
    [12n, '"12"'],
    [() => 1, ''],
    [circle, "<ref *1> { name: 'circle', self: [Circular *1] }"],
  ];
  for (const [value, text] of cases) t.same(await run([tool('x', () => value)], [['x', '{}']]), [`tool_result x ${text}`]);
});

t.test('what goes wrong is a result that says so, without a stack', async (t) => {
  const tools = [
    tool('throws', () => {
      throw new Error('no such city');
    }),
    tool('rejects', () => Promise.reject(new TypeError('bad type'))),
    tool('odd', () => Promise.reject('just text')),
    tool('slow', () => new Promise(() => {}), undefined, 20),
  ];
  const log = await run(tools, [['throws', '{}'], ['rejects', '{}'], ['odd', '{}'], ['slow', '{}'], ['ghost', '{}'], ['throws', '{not json']]);
  t.same([...log].sort(), [
    'tool_result ghost error There is no tool named ghost.',
    'tool_result odd error The tool odd failed.',
    'tool_result rejects error bad type',
    'tool_result slow error The tool slow took longer than 0.02 s.',
    'tool_result throws error The arguments of throws are not valid JSON.',
    'tool_result throws error no such city',
  ]);
});

t.test('arguments are validated by JSON Schema before the tool sees them', async (t) => {
  const $schema = 'http://json-schema.org/draft-07/schema#';
  const parameters = { $schema, type: 'object', properties: { n: { type: 'integer' } }, required: ['n'], additionalProperties: false };
  const add = tool('add', ({ n }: { n: number }) => n + 1, parameters);
  t.same(await run([add], [['add', '{"n":1}']]), ['tool_result add 2']);
  t.same(await run([add], [['add', '{"n":"1","m":2}']]), [
    'tool_result add error The arguments are not valid: arguments: must NOT have additional properties (m); n: must be integer.',
  ]);
  t.match(await run([add], [['add', '[]']]), ['tool_result add error The arguments are not valid: arguments: must be object.']);
});

t.test('arguments are validated by zod, whose defaults and transforms the tool gets', async (t) => {
  const greet = tool('greet', ({ name }: { name: string }) => `Hello ${name}`, z.object({ name: z.string().trim().default('you') }));
  t.same(greet.parameters, { type: 'object', properties: { name: { default: 'you', type: 'string' } } });
  t.same(await run([greet], [['greet', '{}']]), ['tool_result greet Hello you']);
  t.same(await run([greet], [['greet', '{"name":" Ada "}']]), ['tool_result greet Hello Ada']);
  t.match((await run([greet], [['greet', '{"name":1}']]))[0], /^tool_result greet error The arguments are not valid: name: Invalid input/);
});

t.test('parameters that no model can be told of are refused', async (t) => {
  t.throws(() => toolParameters('x'), { message: 'parameters must be a JSON Schema or a zod schema' });
  t.throws(() => toolParameters({ type: 'string' }), { message: 'parameters must describe an object' });
  t.throws(() => toolParameters({ type: 'object', properties: { a: { type: 'nonsense' } } }), /schema is invalid/);
  t.throws(() => toolParameters({ '~standard': { validate: () => ({ value: 1 }) } }), /use zod 4\.2 or later/);
});

t.test('the calls of one turn run at once, each with its own signal', async (t) => {
  const started: AbortSignal[] = [];
  const { promise: bothStarted, resolve } = Promise.withResolvers<void>();
  const wait = tool('wait', async (_args, context) => {
    started.push(context.signal);
    if (started.length === 2) resolve();
    await bothStarted;
    return 'done';
  });
  t.same(await run([wait], [['wait', '{}'], ['wait', '{}']]), ['tool_result wait done', 'tool_result wait done']);
  t.not(started[0], started[1]);
});

t.test('a tool\'s signal ends at its timeout', async (t) => {
  let signal: AbortSignal | undefined;
  const slow = tool('slow', (_args, context) => {
    signal = context.signal;
    return new Promise(() => {});
  }, undefined, 10);
  await run([slow], [['slow', '{}']]);
  t.equal(signal?.aborted, true);
});

t.test('an abort does not wait for tools that take no notice, and their late failure harms nobody', async (t) => {
  const controller = new AbortController();
  const { promise, reject } = Promise.withResolvers<never>();
  let running = false;
  const deaf = tool('deaf', () => {
    running = true;
    return promise;
  });
  const context = makeContext({ signal: controller.signal });
  const answer = recordAnswer('hi');
  const calling = run([deaf, deaf], [['deaf', '{}'], ['deaf', '{}']], context, answer);
  await waitFor('the tool', () => running);
  controller.abort(new Error('stopped'));
  await t.rejects(calling, new Error('stopped'));
  const all = Promise.allSettled(answer.followed).then((settled) => settled.map(({ status }) => status));
  t.equal(await Promise.race([all, new Promise((resolve) => setImmediate(resolve, 'run'))]), 'run', 'they are followed');
  reject(new Error('too late'));
  t.strictSame(await all, ['rejected', 'rejected']);
});

nothingIsLeft(t);
