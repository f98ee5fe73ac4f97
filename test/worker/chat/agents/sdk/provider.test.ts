// Which client, key and API the runs of an SDK agent have.
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

t.test('each interaction has the key of its own environment, also in a run that the code starts itself', async (t) => {
  const own = await agentProcess(t, { 'agent.ts': sdkModule() }, KEY, ...asks('sk-1', 'sk-2', 'sk-1'));
  t.strictSame(own.answers, ['Bearer sk-1', 'Bearer sk-2', 'Bearer sk-1']);
  t.equal(own.printed, '');
  const nested = `import { z } from 'zod';
const inner = new sdk.Agent({ name: 'i', instructions: 'y' });
const execute = async () => (await sdk.run(inner, ${JSON.stringify(echo)})).finalOutput;
const who = sdk.tool({ name: 'who', description: 'd', parameters: z.object({}), execute });`;
  const source = sdkModule(nested, "tools: [who], toolUseBehavior: 'stop_on_first_tool'");
  const asked = ['sk-1', 'sk-2'].map((key) => ({ message: directed({ calls: [{ name: 'who', arguments: {} }] }), env: { OPENAI_API_KEY: key } }));
  t.strictSame((await agentProcess(t, { 'agent.ts': source }, KEY, ...asked)).answers, ['Bearer sk-1', 'Bearer sk-2']);
});

t.test('code that ran the SDK while it loaded gets no other key later', async (t) => {
  const source = sdkModule(`await sdk.run(new sdk.Agent({ name: 'early', instructions: 'z' }), ${JSON.stringify(echo)});`);
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
    client: sdkModule(`sdk.setDefaultOpenAIClient(${client});`),
    key: sdkModule("sdk.setDefaultOpenAIKey('sk-own');"),
    provider: sdkModule(`sdk.setDefaultModelProvider(new sdk.OpenAIProvider({ openAIClient: ${client} }));`),
    model: sdkModule('', `model: new sdk.OpenAIChatCompletionsModel(${client}, 'm')`),
  };
  for (const [name, source] of Object.entries(own)) {
    const { answers, failure } = await agentProcess(t, { 'agent.ts': source }, HERE, ...asks('sk-1', 'sk-2'));
    t.strictSame(answers, ['Bearer sk-own', 'Bearer sk-own'], `${name} ${failure}`);
  }
});

t.test('a model that the code has made is watched as well', async (t) => {
  const client = `new OpenAI({ apiKey: 'sk-own', baseURL: ${JSON.stringify(model.url)}, maxRetries: 0 })`;
  const source = sdkModule('', `model: new sdk.OpenAIResponsesModel(${client}, 'my-model')`);
  const { answers, facts } = await agentProcess(t, { 'agent.ts': source }, {}, { message: directed({ fail: { status: 401 } }) });
  t.strictSame(answers, ['MODEL_AUTH_FAILED The model refused the key.']);
  t.strictSame(facts.model, { model_id: 'my-model', provider: 'openai' });
});

t.test('the API that the code chose is used', async (t) => {
  const before = model.requests.length;
  await agentProcess(t, { 'agent.ts': sdkModule("sdk.setOpenAIAPI('chat_completions');") }, KEY, ...asks('sk-1'));
  t.strictSame(model.requests.slice(before).map(({ path }) => path), ['/v1/chat/completions']);
});

t.test('a default provider that would keep one caller\'s key for all is refused', async (t) => {
  const provider = "sdk.setDefaultModelProvider(new sdk.OpenAIProvider({ useResponses: false }));\nexport const request_env = ['OPENAI_API_KEY'];";
  t.match((await agentProcess(t, { 'agent.ts': sdkModule(provider) }, HERE)).failure, /would keep the OPENAI_API_KEY of the first request for all/);
});

t.test('the end', async (t) => {
  await model.close();
  nothingIsLeft(t);
});
