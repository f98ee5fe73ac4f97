// Whether an SDK agent loads, and what is said of it before it runs.
import t from 'tap';
import { agentProcess, sdkModule } from '../../../../helpers/agent_process.ts';
import { startModelServer } from '../../../../helpers/model_server.ts';
import { nothingIsLeft } from '../../../../helpers/leftovers.ts';
import { directed } from '../../../../helpers/serve.ts';

const model = await startModelServer();
const HERE = { OPENAI_BASE_URL: model.url };
const echo = directed({ echo: 'authorization' });
const asks = (...keys: readonly string[]) => keys.map((key) => ({ message: echo, env: { OPENAI_API_KEY: key } }));
const KEY = { OPENAI_API_KEY: 'sk-base', ...HERE };

t.test('without a key it loads only where a request or a server of one\'s own can do without', async (t) => {
  const failureOf = async (source: string, env = {}) => (await agentProcess(t, { 'agent.ts': source }, env)).failure;
  const words = /^the model has no key: set OPENAI_API_KEY in the environment or in \.env, .*request_env.*OPENAI_BASE_URL$/;
  t.match(await failureOf(sdkModule()), words);
  t.match(await failureOf(sdkModule('sdk.setDefaultModelProvider(new sdk.OpenAIProvider({ useResponses: false }));')), words);
  t.equal(await failureOf(sdkModule("export const request_env = ['OPENAI_API_KEY'];")), null);
  t.equal(await failureOf(sdkModule("export const environment = ['OPENAI_API_KEY=sk-e'];")), null);
  t.equal(await failureOf(sdkModule("sdk.setDefaultOpenAIKey('sk-own');")), null);
  const url = 'http://user:pass@127.0.0.1/v1';
  t.equal(await failureOf(sdkModule(), { OPENAI_BASE_URL: url }), 'OPENAI_BASE_URL: expected a URL without credentials');
  const keyless = await agentProcess(t, { 'agent.ts': sdkModule() }, HERE, { message: directed({ text: 'hello' }) });
  t.strictSame(keyless.answers, ['hello']);
  const later = await agentProcess(t, { 'agent.ts': sdkModule("export const request_env = ['OPENAI_API_KEY'];") }, {}, { message: 'hi' });
  t.strictSame(later.answers, ['MODEL_AUTH_FAILED No key for the model: OPENAI_API_KEY is not set.']);
  const odd = await agentProcess(t, { 'agent.ts': sdkModule() }, KEY, ...asks('sk-\u00e9'));
  t.strictSame(odd.answers, ['MODEL_AUTH_FAILED OPENAI_API_KEY has characters that a key cannot have.']);
});

t.test('what a module exports beside the agent is checked like a definition', async (t) => {
  const failureOf = async (more: string) => (await agentProcess(t, { 'agent.ts': sdkModule(more) }, KEY)).failure;
  t.equal(await failureOf('export const max_turns = 0;'), 'max_turns: expected a whole number from 1 to 1000');
  t.match(await failureOf("export const request_env = ['PATH'];"), /^request_env\[0\]: PATH cannot be set by a request/);
  t.equal(await failureOf('export const memory = { max_item: 3 };'), 'memory.max_item: unknown key; did you mean memory.max_items?');
  t.equal(await failureOf("export const smoke_test = 'x'.repeat(1001);"), 'smoke_test: expected at most 1000 characters');
  const exported = "export const name = 7; export const port = 8123; export const smoke_test = 'Say hello.';";
  const { facts } = await agentProcess(t, { 'agent.ts': sdkModule(exported, "handoffDescription: 'helps'") }, KEY);
  t.match(facts, { name: 'An agent', description: 'helps', port: 8123, maxTurns: 10, maxItems: 200, requestEnv: [], smokeTest: 'Say hello.' });
});

t.test('other kinds of agents, and versions that are too old, are refused', async (t) => {
  const failureOf = async (files: Parameters<typeof agentProcess>[1]) => (await agentProcess(t, files, KEY)).failure;
  const realtime = "import { RealtimeAgent } from '@openai/agents/realtime';\nexport default new RealtimeAgent({ name: 'r', instructions: 'x' });\n";
  t.match(await failureOf({ 'agent.ts': realtime }), /^a RealtimeAgent speaks/);
  const sandbox = "import { SandboxAgent } from '@openai/agents/sandbox';\nexport default new SandboxAgent({ name: 's', instructions: 'x' });\n";
  t.match(await failureOf({ 'agent.ts': sandbox }), /^a SandboxAgent needs a sandbox client/);
  const old = 'export class Agent { instructions = ""; handoffs = []; getSystemPrompt() {} getAllTools() {} asTool() {} }\n';
  const files = {
    'parts/node_modules/@openai/agents/package.json': '{"type":"module","main":"index.js"}',
    'parts/node_modules/@openai/agents/index.js': old,
    'parts/made.ts': "import { Agent } from '@openai/agents';\nexport default new Agent();\n",
  };
  t.match(await failureOf({ 'agent.ts': "export { default } from './parts/made.ts';\n", ...files }), /^this version of @openai\/agents is too old/);
});

t.test('the end', async (t) => {
  await model.close();
  nothingIsLeft(t);
});
