import { join } from 'node:path';
import t, { type Test } from 'tap';
import { makeFolder } from '../../../helpers/folder.ts';
import { loadFile, loadOptions, runAgent } from '../../../helpers/interaction.ts';
import { startModelServer } from '../../../helpers/model_server.ts';
import type { ModelStep } from '../../../helpers/model_steps.ts';

const server = await startModelServer();
t.teardown(() => server.close());

const ENV = { OPENAI_API_KEY: 'sk-test', OPENAI_BASE_URL: server.url };
const modelOf = (id: string): string => `model: { model_id: ${id} }\n`;

const TRIAGE = `name: triage
system_prompt: You sort.
${modelOf('small')}max_turns: 4
environment: [REGION=eu]
agents:
  - { agent: billing, use: handoff, description: For money. }
  - { agent: ../lib/law.yaml, use: tool }
tools: [{ module: ../lib/clock.mjs }]
`;
const FILES = {
  'agents/triage.yaml': TRIAGE,
  'agents/billing/agent.yaml': `description: Knows the prices.
system_prompt: You bill in {{REGION}}.
${modelOf('large')}environment: [REGION=us, CURRENCY=USD]
request_env: [GITHUB_TOKEN]
agents: [{ agent: triage, use: handoff }]
`,
  'lib/law.yaml': `name: law\ndescription: Knows the law.\nsystem_prompt: You are a lawyer.\n${modelOf('lawful')}max_turns: 2\ntools: [{ module: ./clock.mjs }]\n`,
  'lib/clock.mjs': `export const clock = { description: 'the time', execute: () => 'noon' };\n`,
};

async function load(t: Test, files: Readonly<Record<string, string>> = FILES, first = Object.keys(files)[0] ?? '') {
  const folder = await makeFolder(t, files);
  const agent = await loadFile(join(folder, first), { ...loadOptions(ENV), configRoot: folder });
  t.teardown(() => agent.close());
  return agent;
}

async function ask(t: Test, ...steps: readonly ModelStep[]) {
  const from = server.requests.length;
  server.queue(...steps);
  const { end, answer } = await runAgent(await load(t), 'What does it cost?', { env: ENV });
  return { end, answer, bodies: server.requests.slice(from).map(({ body }) => body) };
}

const call = (name: string, args: unknown = {}, id = name) => ({ name, arguments: args, id });
type Body = Readonly<Record<string, unknown>> | undefined;
const listIn = <T>(body: Body, key: string): readonly T[] => (body?.[key] ?? []) as readonly T[];
const namesOf = (body: Body): string[] => listIn<{ name: string }>(body, 'tools').map(({ name }) => name);

t.test('what is known of a team', async (t) => {
  const { facts, environment } = await load(t);
  t.match(facts, { name: 'triage', agents: ['billing', 'law'], requestEnv: ['GITHUB_TOKEN'], maxTurns: 4, model: { model_id: 'small' } });
  t.same(facts.tools, [
    { name: 'clock', description: 'the time' },
    { name: 'transfer_to_billing', description: 'Hand the conversation over to billing, who answers from then on. For money.' },
    { name: 'law', description: 'Knows the law.' },
  ]);
  t.same(environment, { REGION: 'eu', CURRENCY: 'USD' }, 'the served agent wins');
});

t.test('a conversation that is handed over goes on with the other agent, who sees all of it', async (t) => {
  const { end, answer, bodies } = await ask(t, { text: 'I pass you on.', calls: [call('transfer_to_billing')] }, { text: 'Five euros.' });
  t.same(answer.messages, ['I pass you on.', 'Five euros.']);
  t.same(answer.log.filter((line) => /^(tool|handoff)/.test(line)), [
    'tool_call transfer_to_billing {}',
    'tool_result transfer_to_billing {"assistant":"billing"}',
    'handoff triage billing',
  ]);
  t.match(bodies, [{ model: 'small', instructions: 'You sort.' }, { model: 'large', instructions: 'You bill in eu.' }]);
  t.same(bodies.map(namesOf), [['clock', 'law', 'transfer_to_billing'], ['transfer_to_triage']]);
  t.same(listIn<{ type?: string; role?: string }>(bodies[1], 'input').map(({ type, role }) => role ?? type), [
    'user', 'assistant', 'function_call', 'function_call_output',
  ]);
  t.same(end, {
    model: { model_id: 'large', provider: 'openai' },
    finishReason: 'stop',
    usage: {
      input_tokens: 14, output_tokens: 6, total_tokens: 20,
      by_agent: [
        { agent: 'triage', model: { model_id: 'small', provider: 'openai' }, input_tokens: 7, output_tokens: 4, total_tokens: 11 },
        { agent: 'billing', model: { model_id: 'large', provider: 'openai' }, input_tokens: 7, output_tokens: 2, total_tokens: 9 },
      ],
    },
  });
});

t.test('other tools of the turn that hands over run too, and of two ways the first is taken', async (t) => {
  const calls = [call('transfer_to_billing', {}, 'a'), call('clock', {}, 'b'), call('transfer_to_billing', {}, 'c')];
  const { answer } = await ask(t, { calls }, { text: 'Done.' });
  t.same(answer.log.filter((line) => line.startsWith('tool_result')).sort(), [
    'tool_result clock noon',
    'tool_result transfer_to_billing error The conversation has been handed over to billing already.',
    'tool_result transfer_to_billing {"assistant":"billing"}',
  ]);
});

t.test('agents that hand over to each other without end are stopped by max_turns of the first', async (t) => {
  const over = [call('transfer_to_billing')];
  const back = [call('transfer_to_triage')];
  const from = server.requests.length;
  await t.rejects(ask(t, { calls: over }, { calls: back }, { calls: over }, { calls: back }), {
    code: 'MAX_TURNS',
    message: 'The agent had no answer after 4 turns.',
  });
  t.equal(server.requests.length - from, 4);
});

t.test('an agent as a tool answers in a conversation of its own, of which the last message comes back', async (t) => {
  const { end, answer, bodies } = await ask(
    t,
    { calls: [call('law', { input: 'May I?' })] },
    { text: 'Wait.', calls: [call('clock')] },
    { text: 'You may.' },
    { text: 'The law allows it.' },
  );
  t.same(answer.messages, ['The law allows it.']);
  t.same(answer.log.filter((line) => line.startsWith('tool')), ['tool_call law {"input":"May I?"}', 'tool_result law You may.']);
  t.match(bodies[1], { model: 'lawful', instructions: 'You are a lawyer.', input: [{ role: 'user', content: 'May I?' }] });
  t.equal(listIn(bodies[1], 'input').length, 1);
  t.same(end.usage?.by_agent?.map(({ agent, output_tokens }) => [agent, output_tokens]), [['triage', 4], ['law', 3]]);
  t.equal(end.usage?.input_tokens, 28);
});

t.test('an agent as a tool that fails is a result that says so', async (t) => {
  const busy = [call('clock')];
  const { answer } = await ask(t, { calls: [call('law', { input: 'May I?' }), call('law', {}, 'none')] }, { calls: busy }, { calls: busy }, { text: 'It did not.' });
  t.same(answer.log.filter((line) => line.startsWith('tool_result')).sort(), [
    'tool_result law error The agent had no answer after 2 turns.',
    'tool_result law error The arguments are not valid: input: expected a text that is not empty.',
  ]);
  t.same(answer.messages, ['It did not.']);
});

t.test('a module can use definitions, and definitions a module', async (t) => {
  const agent = await load(t, {
    'agents/boss.mjs': `export default { name: 'boss', model: { provider: 'offline' }, agents: [{ agent: 'clerk', use: 'handoff' }] };\n`,
    'agents/clerk.yaml': 'model: { provider: offline }\nagents: [{ agent: ./aide.mjs, use: tool }]\n',
    'agents/aide.mjs': `export default { model: { provider: 'offline' }, tools: { now: { description: 'now', execute: () => 'noon' } } };\n`,
  });
  t.same(agent.facts.agents, ['clerk', 'aide']);
  const { answer } = await runAgent(agent, '/tool transfer_to_clerk\n/tool aide {"input": "/tool now"}');
  t.match(answer.log, ['tool_call transfer_to_clerk {}', 'tool_call aide {"input": "/tool now"}']);
});

t.test('a team that cannot work is a load error that says where', async (t) => {
  const offline = 'model: { provider: offline }\n';
  const failure = (files: Readonly<Record<string, string>>) =>
    load(t, files).then(() => 'loaded', (error: { line: number | null; message: string }) => `${error.line}: ${error.message}`);
  t.equal(
    await failure({ 'agents/a.yaml': `${offline}agents:\n  - { agent: nobody, use: tool }\n` }),
    '3: agents[0].agent: there is no agent nobody; looked at agents/ and agents_config/ under the config root',
  );
  t.equal(
    await failure({ 'agents/a.yaml': `${offline}agents:\n  - { agent: ./b.yaml, use: tool }\n` }),
    '3: agents[0].agent: there is no agent ./b.yaml; looked at that path, which is from this file',
  );
  t.equal(
    await failure({
      'agents/a.yaml': `${offline}agents: [{ agent: b, use: tool }]\n`,
      'agents/b.yaml': `${offline}agents: [{ agent: c, use: handoff }]\n`,
      'agents/c.yaml': `${offline}agents: [{ agent: a, use: handoff }]\n`,
    }),
    '2: agents[0].agent: b comes back to asked: an agent cannot use itself as a tool, through others either',
  );
  t.equal(
    await failure({
      'agents/a.yaml': `${offline}agents:\n  - { agent: b, use: tool }\n  - { agent: b, use: tool }\n`,
      'agents/b.yaml': offline,
    }),
    '4: agents[1]: two tools are named b',
  );
  t.equal(
    await failure({ 'agents/a.yaml': `${offline}agents:\n  - { agent: b, use: tool }\n`, 'agents/b.mjs': 'export default async function* () {}\n' }),
    '3: agents[0].agent: b is no definition: only such an agent can be used by another',
  );
  t.equal(
    await failure({ 'agents/a.yaml': `${offline}agents:\n  - { agent: ./b, use: tool }\n`, 'agents/b/agent.yaml': offline }),
    '3: agents[0].agent: there is no agent ./b; looked at that path, which is from this file',
    'a folder is no agent',
  );
  t.equal(
    await failure({ 'agents/a.yaml': `${offline}agents:\n  - { agent: b, use: tool }\n`, 'agents/b.yaml': `name: asked\n${offline}` }),
    '3: agents[0].agent: two agents are named asked: a.yaml and b.yaml',
  );
  t.equal(await failure({ 'agents/a.yaml': `${offline}agents:\n  - { agent: b, use: friend }\n` }), '3: agents[0].use: expected tool or handoff');
  t.match(await failure({ 'agents/a.yaml': `${offline}agents: [{ agent: b, use: tool }]\n`, 'agents/b.yaml': `${offline}nonsense: 1\n` }), /^2: nonsense: unknown key/);
});
