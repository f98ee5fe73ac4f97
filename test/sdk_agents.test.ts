// Agents of @openai/agents as their package documents them: under the server they answer what they answer when they are run directly.
import { run, setOpenAIAPI, setTracingDisabled, type Agent } from '@openai/agents';
import t, { type Test } from 'tap';
import { messagesOf, parseEventStream, type StreamedEvent } from './helpers/event_stream.ts';
import { makeFolder } from './helpers/folder.ts';
import { chat, send, stream, type Json } from './helpers/http_client.ts';
import { nothingIsLeft } from './helpers/leftovers.ts';
import { startModelServer, type RecordedRequest } from './helpers/model_server.ts';
import type { ModelStep } from './helpers/model_steps.ts';
import { runCommand, type StartedServer } from './helpers/process.ts';
import { directed, serve } from './helpers/serve.ts';

const model = await startModelServer();
const env = { OPENAI_BASE_URL: model.url, OPENAI_API_KEY: 'sk-of-the-server' };
Object.assign(process.env, env);
setTracingDisabled(true);

interface Case {
  readonly agent: string;
  /** What the model does: for every agent, or by a part of its instructions. */
  readonly script: ModelStep | readonly ModelStep[] | { readonly byInstructions: Readonly<Record<string, ModelStep | readonly ModelStep[]>> };
  /** The types of the stream's events, pieces of a message as one. */
  readonly events: string;
  readonly messages: readonly string[];
  readonly model?: string;
  /** Of a run that a tool starts by itself, which a direct run leaves out of its usage. */
  readonly more?: { readonly input: number; readonly output: number };
}

const event = { name: 'Party', date: '2026-11-30', participants: ['Ann', 'Bob'] };
const noHomework = { text: JSON.stringify({ isMathHomework: false, reasoning: 'no' }) };

const CASES: readonly Case[] = [
  { agent: 'sdk_haiku', script: { text: 'Calls within a call' }, events: 'start text output', messages: ['Calls within a call'] },
  {
    agent: 'sdk_haiku', script: { messages: ['First one.', 'Second one.'] },
    events: 'start text text output', messages: ['First one.', 'Second one.'],
  },
  {
    agent: 'sdk_haiku', script: { text: 'Because', reasoning: 'let me think' },
    events: 'start reasoning text output', messages: ['Because'],
  },
  {
    agent: 'sdk_weather',
    script: [{ text: 'I will look.', calls: [{ name: 'get_weather', arguments: { city: 'Rome' } }] }, { text: 'It is sunny in Rome.' }],
    events: 'start text tool_call tool_result text output', messages: ['I will look.', 'It is sunny in Rome.'], model: 'gpt-4.1',
  },
  {
    agent: 'sdk_weather',
    script: [{ calls: ['Rome', 'Oslo'].map((city) => ({ name: 'get_weather', id: city, arguments: { city } })) }, { text: 'Both sunny.' }],
    events: 'start tool_call tool_call tool_result tool_result text output', messages: ['Both sunny.'], model: 'gpt-4.1',
  },
  {
    agent: 'sdk_triage',
    script: {
      byInstructions: { 'Check if': noHomework, 'You determine': { calls: [{ name: 'transfer_to_History_Tutor', arguments: {} }] }, '': { text: 'In 1789.' } },
    },
    events: 'start tool_call tool_result handoff text output', messages: ['In 1789.'],
  },
  { agent: 'sdk_calendar', script: { text: JSON.stringify(event) }, events: 'start text output', messages: [JSON.stringify(event)] },
  {
    agent: 'sdk_orchestrator',
    script: [
      {
        calls: [
          { name: 'summarize_text', arguments: { input: directed({ text: 'in short' }) } },
          { name: 'translate', arguments: { text: directed({ text: 'en bref' }) } },
        ],
      },
      { text: 'Here it is.' },
    ],
    events: 'start tool_call tool_call tool_result tool_result text output', messages: ['Here it is.'], more: { input: 7, output: 2 },
  },
  {
    agent: 'sdk_first_tool', script: { text: 'Rolling.', calls: [{ name: 'roll', arguments: { sides: 6 } }] },
    events: 'start text tool_call tool_result text output', messages: ['Rolling.', 'rolled 6'],
  },
  {
    agent: 'sdk_chat_completions',
    script: [{ text: 'So:', reasoning: 'easy', calls: [{ name: 'add', arguments: { a: 1, b: 2 } }] }, { text: 'It is 3.' }],
    events: 'start reasoning text tool_call tool_result text output', messages: ['So:', 'It is 3.'],
  },
];

interface Direct {
  readonly output: unknown;
  readonly usage: Json;
}

/** Runs the agent of a fixture in this process, without the server. */
async function runDirectly(agent: string, message: string, { input, output } = { input: 0, output: 0 }): Promise<Direct> {
  const fixture = (await import(new URL(`fixtures/agents/${agent}.ts`, import.meta.url).href)) as { readonly default: Agent };
  setOpenAIAPI(/first_tool|chat_completions/.test(agent) ? 'chat_completions' : 'responses');
  const { finalOutput, state } = await run(fixture.default, message);
  const { inputTokens, outputTokens, totalTokens } = state.usage;
  const usage = { input_tokens: inputTokens + input, output_tokens: outputTokens + output, total_tokens: totalTokens + input + output };
  return { output: finalOutput, usage };
}

function typesOf(events: readonly StreamedEvent[]): string {
  const keys = events.map(({ id, content: { type, message } }) => `${type} ${type === 'text' || type === 'reasoning' ? message : -id}`);
  return keys.filter((key, index) => key !== keys[index - 1]).map((key) => key.split(' ')[0]).join(' ');
}

async function isLikeDirect(t: Test, { url }: StartedServer, { agent, script, events: expected, messages, model: name, more }: Case): Promise<void> {
  const message = directed(script);
  const { output, usage } = await runDirectly(agent, message, more);
  const { events, done } = parseEventStream(await (await stream(url, { message, verbose: true })).ended);
  const end = events.at(-1)?.content;
  t.equal(typesOf(events), expected);
  t.ok(done);
  t.strictSame(messagesOf(events), messages);
  t.equal(end?.content, messages.at(-1), 'the pieces of the last message are the output');
  t.strictSame(typeof output === 'string' ? end?.content : JSON.parse(String(end?.content)), output, 'the same as a direct run');
  t.strictSame(end?.['token_usage'], usage);
  t.match(end?.['model'], { model_id: name ?? 'gpt-5.6-luna', provider: 'openai' });
  t.equal(end?.['finish_reason'], 'stop');
  t.match(await chat(url, { message }), { status: 200, json: { response: messages.at(-1), content: { token_usage: usage } } });
}

for (const agent of new Set(CASES.map((each) => each.agent))) {
  t.test(`${agent} answers what it answers when it is run directly`, async (t) => {
    const server = await serve(t, agent, { env });
    for (const each of CASES.filter((one) => one.agent === agent)) await isLikeDirect(t, server, each);
    t.notMatch(server.output.stderr, /"source":"agent"/, 'the package prints nothing');
    t.strictSame(await server.stop(), { code: 0, signal: null });
  });
}

t.test('the second turn of a session has all of the first in it, by both APIs', async (t) => {
  const call = (name: string, args: object) => directed([{ text: 'Wait.', reasoning: 'hm', calls: [{ name, arguments: args }] }, { text: 'Done.' }]);
  const second = directed({ text: 'As I said.' });
  const bodyOf = (request: RecordedRequest | undefined, key: string) => request?.body[key] as readonly Json[];

  const responses = await serve(t, 'sdk_weather', { env });
  const first = call('get_weather', { city: 'Rome' });
  await chat(responses.url, { message: first, session_id: 's' });
  await chat(responses.url, { message: second, session_id: 's' });
  t.match(bodyOf(model.requests.at(-1), 'input'), [
    { role: 'user', content: first },
    { type: 'reasoning' },
    { role: 'assistant', content: [{ type: 'output_text', text: 'Wait.' }] },
    { type: 'function_call', call_id: 'call_1_get_weather', name: 'get_weather', arguments: '{"city":"Rome"}' },
    { type: 'function_call_output', call_id: 'call_1_get_weather', output: 'The weather in Rome is sunny.' },
    { role: 'assistant', content: [{ type: 'output_text', text: 'Done.' }] },
    { role: 'user', content: second },
  ]);
  const { items } = (await send(responses.url, '/chat/sessions/s')).json as { readonly items: readonly Json[] };
  t.strictSame(items.map((item) => item['type']), [
    'message', 'reasoning', 'message', 'function_call', 'function_call_result', 'message', 'message', 'message',
  ]);

  const completions = await serve(t, 'sdk_chat_completions', { env });
  const sum = call('add', { a: 1, b: 2 });
  await chat(completions.url, { message: sum, session_id: 's' });
  await chat(completions.url, { message: second, session_id: 's' });
  t.match(bodyOf(model.requests.at(-1), 'messages'), [
    { role: 'system' },
    { role: 'user', content: sum },
    { role: 'assistant', tool_calls: [{ id: 'call_1_add', function: { name: 'add' } }] },
    { role: 'tool', tool_call_id: 'call_1_add', content: '3' },
    { role: 'assistant' },
    { role: 'user', content: second },
  ]);
});

t.test('a handoff stays in the session', async (t) => {
  const { url } = await serve(t, 'sdk_triage', { env });
  const message = directed((CASES.find(({ agent }) => agent === 'sdk_triage') as Case).script);
  await chat(url, { message, session_id: 's' });
  const second = directed({ byInstructions: { 'Check if': noHomework, '': { text: 'Back at the start.' } } });
  const { json } = await chat(url, { message: second, session_id: 's' });
  t.equal(json['response'], 'Back at the start.');
  const input = (model.requests.at(-1)?.body['input'] ?? []) as readonly Json[];
  const types = input.map((item) => item['type'] ?? item['role']);
  t.strictSame(types, ['user', 'function_call', 'function_call_output', 'message', 'user']);
});

t.test('/agent/info tells of the agent, and of the exports beside it', async (t) => {
  const { url } = await serve(t, 'sdk_weather', { env });
  t.match((await send(url, '/agent/info')).json, {
    agent_name: 'sdk_weather', framework: 'openai-agents', description: 'knows the weather', prompts: 1,
    model: { model_id: 'gpt-4.1', provider: 'openai' }, limits: { max_turns: 4, max_items: 50 },
  });
});

t.test('an agent whose package is not installed, and one without a key, say what to do', async (t) => {
  const source = "import { Agent } from '@openai/agents';\nexport default new Agent({ name: 'a', instructions: 'b' });\n";
  const folder = await makeFolder(t, { 'agents/lost.ts': source });
  const words = ['--port', '0', '--host', '127.0.0.1', '--workers', '1'];
  const lost = await runCommand(['lost', '--config-root', folder, ...words], { env });
  t.match(lost, {
    code: 78, stderr: /^oai-agent-server: .*agents\/lost\.ts: Cannot find package '@openai\/agents': .*npm install @openai\/agents zod\n$/,
  });
  const keyless = await runCommand(['sdk_haiku', '--config-root', 'test/fixtures', '--data-dir', `${folder}/data`, ...words]);
  t.match(keyless, { code: 78, stderr: /^oai-agent-server: .*sdk_haiku\.ts: the model has no key: set OPENAI_API_KEY .*\n$/ });
});

t.test('the end', async (t) => {
  await model.close();
  nothingIsLeft(t);
});
