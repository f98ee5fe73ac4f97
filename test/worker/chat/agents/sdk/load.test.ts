// Which package, client and key an SDK agent gets, and what is said of it before it runs.
import t from 'tap';
import { agentProcess } from '../../../../helpers/agent_process.ts';
import { startModelServer } from '../../../../helpers/model_server.ts';
import { nothingIsLeft } from '../../../../helpers/leftovers.ts';
import { directed } from '../../../../helpers/serve.ts';

const model = await startModelServer();
const HERE = { OPENAI_BASE_URL: model.url };
const echo = directed({ echo: 'authorization' });
/** A module with an agent, and what else it does. */
const agentTs = (more = '', options = '') =>
  `import * as sdk from '@openai/agents';\nimport OpenAI from 'openai';\n${more}\nexport default new sdk.Agent({ name: 'An agent', instructions: 'x', ${options} });\n`;
const asks = (...keys: readonly string[]) => keys.map((key) => ({ message: echo, env: { OPENAI_API_KEY: key } }));
const KEY = { OPENAI_API_KEY: 'sk-base', ...HERE };

t.test('each interaction has the key of its own environment, also in a run that the code starts itself', async (t) => {
  const own = await agentProcess(t, { 'agent.ts': agentTs() }, KEY, ...asks('sk-1', 'sk-2', 'sk-1'));
  t.strictSame(own.answers, ['Bearer sk-1', 'Bearer sk-2', 'Bearer sk-1']);
  t.equal(own.printed, '');
  const nested = `const who = sdk.tool({ name: 'who', description: 'd', parameters: z.object({}), execute: async () => (await sdk.run(inner, ${JSON.stringify(echo)})).finalOutput });`;
  const source = agentTs(`import { z } from 'zod';\nconst inner = new sdk.Agent({ name: 'i', instructions: 'y' });\n${nested}`, "tools: [who], toolUseBehavior: 'stop_on_first_tool'");
  const asked = ['sk-1', 'sk-2'].map((key) => ({ message: directed({ calls: [{ name: 'who', arguments: {} }] }), env: { OPENAI_API_KEY: key } }));
  t.strictSame((await agentProcess(t, { 'agent.ts': source }, KEY, ...asked)).answers, ['Bearer sk-1', 'Bearer sk-2']);
});

t.test('code that ran the SDK while it loaded gets no other key later', async (t) => {
  const source = agentTs(`await sdk.run(new sdk.Agent({ name: 'early', instructions: 'z' }), ${JSON.stringify(echo)});`);
  t.strictSame((await agentProcess(t, { 'agent.ts': source }, KEY, ...asks('sk-1', 'sk-2'))).answers, ['Bearer sk-1', 'Bearer sk-2']);
});

t.test('a generator that runs the SDK itself has its own key, too', async (t) => {
  const source = `import { Agent, run } from '@openai/agents';
const agent = new Agent({ name: 'a', instructions: 'b' });
export default async function* chat({ message }) { yield (await run(agent, message)).finalOutput; }\n`;
  t.strictSame((await agentProcess(t, { 'agent.ts': source }, KEY, ...asks('sk-1', 'sk-2'))).answers, ['Bearer sk-1', 'Bearer sk-2']);
});

t.test('a client, key, provider or model of the agent\'s own code is used', async (t) => {
  const client = `new OpenAI({ apiKey: 'sk-own', baseURL: ${JSON.stringify(model.url)} })`;
  const own: Readonly<Record<string, string>> = {
    client: agentTs(`sdk.setDefaultOpenAIClient(${client});`),
    key: agentTs("sdk.setDefaultOpenAIKey('sk-own');"),
    provider: agentTs(`sdk.setDefaultModelProvider(new sdk.OpenAIProvider({ openAIClient: ${client} }));`),
    model: agentTs('', `model: new sdk.OpenAIChatCompletionsModel(${client}, 'm')`),
  };
  for (const [name, source] of Object.entries(own)) {
    const { answers, failure } = await agentProcess(t, { 'agent.ts': source }, HERE, ...asks('sk-1', 'sk-2'));
    t.strictSame(answers, ['Bearer sk-own', 'Bearer sk-own'], `${name} ${failure}`);
  }
});

t.test('the API that the code chose is used', async (t) => {
  const before = model.requests.length;
  await agentProcess(t, { 'agent.ts': agentTs("sdk.setOpenAIAPI('chat_completions');") }, KEY, ...asks('sk-1'));
  t.strictSame(model.requests.slice(before).map(({ path }) => path), ['/v1/chat/completions']);
});

t.test('without a key it loads only where a request or a server of one\'s own can do without', async (t) => {
  const failureOf = async (source: string, env = {}) => (await agentProcess(t, { 'agent.ts': source }, env)).failure;
  const words = /^the model has no key: set OPENAI_API_KEY in the environment or in \.env, .*request_env.*OPENAI_BASE_URL$/;
  t.match(await failureOf(agentTs()), words);
  t.match(await failureOf(agentTs('sdk.setDefaultModelProvider(new sdk.OpenAIProvider({ useResponses: false }));')), words);
  t.equal(await failureOf(agentTs("export const request_env = ['OPENAI_API_KEY'];")), null);
  t.equal(await failureOf(agentTs("export const environment = ['OPENAI_API_KEY=sk-e'];")), null);
  t.equal(await failureOf(agentTs("sdk.setDefaultOpenAIKey('sk-own');")), null);
  const url = 'http://user:pass@127.0.0.1/v1';
  t.equal(await failureOf(agentTs(), { OPENAI_BASE_URL: url }), 'OPENAI_BASE_URL: expected a URL without credentials');
  const keyless = await agentProcess(t, { 'agent.ts': agentTs() }, HERE, { message: directed({ text: 'hello' }) });
  t.strictSame(keyless.answers, ['hello']);
  const later = await agentProcess(t, { 'agent.ts': agentTs("export const request_env = ['OPENAI_API_KEY'];") }, {}, { message: 'hi' });
  t.strictSame(later.answers, ['MODEL_AUTH_FAILED No key for the model: OPENAI_API_KEY is not set.']);
  const odd = await agentProcess(t, { 'agent.ts': agentTs() }, KEY, ...asks('sk-\u00e9'));
  t.strictSame(odd.answers, ['MODEL_AUTH_FAILED OPENAI_API_KEY has characters that a key cannot have.']);
});

t.test('a default provider that would keep one caller\'s key for all is refused', async (t) => {
  const provider = "sdk.setDefaultModelProvider(new sdk.OpenAIProvider({ useResponses: false }));\nexport const request_env = ['OPENAI_API_KEY'];";
  t.match((await agentProcess(t, { 'agent.ts': agentTs(provider) }, HERE)).failure, /would keep the OPENAI_API_KEY of the first request for all/);
});

t.test('tracing is off, unless the environment or the code turns it on', async (t) => {
  const report = "export const report = () => sdk.getGlobalTraceProvider().createTrace({ name: 't' }) instanceof sdk.NoopTrace;";
  const isOff = async (env: object, more = '') => (await agentProcess(t, { 'agent.ts': agentTs(more + report) }, { ...KEY, ...env }, ...asks('sk-1'))).report;
  t.equal(await isOff({}), true);
  t.equal(await isOff({ OPENAI_AGENTS_DISABLE_TRACING: '1' }), true);
  t.equal(await isOff({ OPENAI_AGENTS_DISABLE_TRACING: '0' }), false);
  t.equal(await isOff({}, 'sdk.setTracingDisabled(false);\n'), false);
});

t.test('the copy that the agent is made with runs it, whichever way it was imported', async (t) => {
  const required = `import { createRequire } from 'node:module';\nconst { Agent } = createRequire(import.meta.url)('@openai/agents');\nexport default new Agent({ name: 'c', instructions: 'd' });\n`;
  t.strictSame((await agentProcess(t, { 'agent.ts': required }, KEY, ...asks('sk-1', 'sk-2'))).answers, ['Bearer sk-1', 'Bearer sk-2']);
  const core = `import { Agent } from '../node_modules/@openai/agents-core/dist/index.mjs';\nexport default new Agent({ name: 'c', instructions: 'd' });\n`;
  const files = { 'agent.ts': "export { default } from './parts/made.ts';\n", 'parts/made.ts': core };
  t.strictSame((await agentProcess(t, files, KEY, ...asks('sk-1', 'sk-2'))).answers, ['Bearer sk-1', 'Bearer sk-2']);
});

t.test('what a module exports beside the agent is checked like a definition', async (t) => {
  const failureOf = async (more: string) => (await agentProcess(t, { 'agent.ts': agentTs(more) }, KEY)).failure;
  t.equal(await failureOf('export const max_turns = 0;'), 'max_turns: expected a whole number from 1 to 1000');
  t.match(await failureOf("export const request_env = ['PATH'];"), /^request_env\[0\]: PATH cannot be set by a request/);
  t.equal(await failureOf('export const memory = { max_item: 3 };'), 'memory.max_item: unknown key; did you mean memory.max_items?');
  const { facts } = await agentProcess(t, { 'agent.ts': agentTs("export const name = 7; export const port = 8123;", "handoffDescription: 'helps'") }, KEY);
  t.match(facts, { name: 'An agent', description: 'helps', port: 8123, maxTurns: 10, maxItems: 200, requestEnv: [] });
});

t.test('the end', async (t) => {
  await model.close();
  nothingIsLeft(t);
});
