import { join } from 'node:path';
import t, { type Test } from 'tap';
import { makeFolder } from '../../../helpers/folder.ts';
import { loadFile, loadOptions, runAgent } from '../../../helpers/interaction.ts';
import { nothingIsLeft } from '../../../helpers/leftovers.ts';
import { startModelServer } from '../../../helpers/model_server.ts';
import type { LoadOptions } from '../../../../worker/chat/agents/agent.ts';

const OFFLINE = 'model: { provider: offline }\n';
const ADD = `export const add = {
  description: 'adds',
  parameters: { type: 'object', properties: { a: { type: 'number' } }, required: ['a'] },
  execute: ({ a }) => a + 1,
};
export const sub = { name: 'subtract', description: 'subtracts', execute: () => 'less' };
export const constant = 42;\n`;

async function load(t: Test, files: Readonly<Record<string, string>>, options: LoadOptions = loadOptions()) {
  const folder = await makeFolder(t, files);
  const agent = await loadFile(join(folder, Object.keys(files)[0] ?? ''), options);
  t.teardown(() => agent.close());
  return agent;
}

/** The failure of a YAML file as `line: message`. */
async function failure(t: Test, files: Readonly<Record<string, string>>, options?: LoadOptions): Promise<string> {
  return load(t, files, options).then(
    () => 'loaded',
    (error: { name: string; line: number | null; message: string }) => {
      t.equal(error.name, 'AgentLoadError');
      return `${error.line}: ${error.message}`;
    },
  );
}

t.test('all keys of the file are facts of the agent', async (t) => {
  const agent = await load(t, {
    'a.yaml': `
name: mine
description: d
model: { provider: openai, model_id: m, base_url: "http://localhost:1/v1" }
max_turns: 3
prompts: [{ name: p, prompt: q }]
environment: [REGION=eu, EMPTY=]
request_env: [GITHUB_TOKEN]
memory: { max_items: 5 }
port: 0
tags: [x]
tools: [{ module: ./t.mjs }]
allow_reinitialize: true
smoke_test: Are you there?
mcps:
`,
    't.mjs': ADD,
  });
  t.same(agent.facts, {
    name: 'mine',
    description: 'd',
    framework: 'declarative',
    model: { model_id: 'm', provider: 'openai' },
    tools: [{ name: 'add', description: 'adds' }, { name: 'subtract', description: 'subtracts' }],
    mcps: [],
    agents: [],
    prompts: [{ name: 'p', prompt: 'q' }],
    requestEnv: ['GITHUB_TOKEN'],
    allowReinitialize: true,
    smokeTest: 'Are you there?',
    maxItems: 5,
    port: 0,
    tags: ['x'],
    maxTurns: 3,
    warnings: [],
  });
  t.same(agent.environment, { REGION: 'eu', EMPTY: '' });
});

t.test('what is left out has its default, and the name is the one asked for', async (t) => {
  const agent = await load(t, { 'a.json': '{"model":{"provider":"offline"}}' });
  t.match(agent.facts, { name: 'asked', description: '', maxItems: 200, maxTurns: 10, port: null, warnings: [/offline/] });
  t.same(agent.facts.model, { model_id: 'offline', provider: 'offline' });
});

t.test('an unknown key is an error with its line and the nearest known key', async (t) => {
  t.equal(await failure(t, { 'a.yaml': `name: x\nsystem_promt: y\n${OFFLINE}` }), '2: system_promt: unknown key; did you mean system_prompt?');
  const inModel = 'model:\n  provider: offline\n  modelId: x\n';
  t.equal(await failure(t, { 'a.yaml': inModel }), '3: model.modelId: unknown key; did you mean model.model_id?');
  const inTools = `${OFFLINE}tools:\n  - module: ./x.ts\n    onyl: [a]\n`;
  t.equal(await failure(t, { 'a.yaml': inTools }), '4: tools[0].onyl: unknown key; did you mean tools[0].only?');
  t.match(await failure(t, { 'a.yaml': `${OFFLINE}zzzzzz: 1\n` }), /^2: zzzzzz: unknown key; known are name, /);
});

t.test('a wrong value is an error with its line', async (t) => {
  t.equal(await failure(t, { 'a.yaml': 'model:\n  provider: gemini\n' }), '2: model.provider: expected openai, offline or auto');
  t.equal(await failure(t, { 'a.yaml': `${OFFLINE}\nmax_turns: 0\n` }), '3: max_turns: expected a whole number from 1 to 1000');
  t.equal(await failure(t, { 'a.yaml': `${OFFLINE}name: no spaces\n` }), '2: name: expected a name of letters, digits, _ . and -');
  t.equal(await failure(t, { 'a.yaml': `${OFFLINE}environment:\n  - A=1\n  - A=2\n` }), '4: environment[1]: A is set twice');
  t.equal(await failure(t, { 'a.yaml': `${OFFLINE}environment: [A]\n` }), '2: environment[0]: expected NAME=value');
  t.match(await failure(t, { 'a.yaml': `${OFFLINE}request_env:\n  - PATH\n` }), /^3: request_env\[0\]: PATH cannot be set by a request: it decides/);
  t.equal(await failure(t, { 'a.yaml': 'name: x\n' }), '1: model: expected a mapping with provider and model_id');
  t.match(await failure(t, { 'a.yaml': '- a\n- b\n' }), /^1: expected a mapping of keys/);
  t.match(await failure(t, { 'a.yaml': '' }), /expected a mapping of keys/);
  const reserved = 'model:\n  provider: offline\n  params: { stream: false }\n';
  t.equal(await failure(t, { 'a.yaml': reserved }), '3: model.params.stream: the server sets this itself');
});

t.test('MCP servers and the form of the answer are checked key by key', async (t) => {
  const problems: readonly (readonly [string, string])[] = [
    ['mcps: { files: {} }', 'mcps.files: expected either command (stdio) or url (streamable HTTP)'],
    ['mcps: { files: { command: x, url: "http://localhost" } }', 'mcps.files: expected either command (stdio) or url (streamable HTTP)'],
    ['mcps: { files: { command: x, headers: { a: b } } }', 'mcps.files.headers: belongs to a server with a url'],
    ['mcps: { files: { url: "http://localhost", args: [a] } }', 'mcps.files.args: belongs to a server with a command'],
    ['mcps: { files: { comand: x } }', 'mcps.files.comand: unknown key; did you mean mcps.files.command?'],
    ['output_schema: { type: array }', 'output_schema.type: expected object: the APIs take no other schema of an answer'],
    ['output_schema: { type: object, properties: { a: { type: nothing } } }', 'output_schema.properties.a.type: must be equal to one of the allowed values: array, '],
    ['output_schema: { type: object, propertys: {} }', 'output_schema: unknown keyword: "propertys"'],
    ['mcps: { a__b: { command: x } }', 'mcps.a__b: expected a name of letters, digits, - and single _, at most 32'],
    ['tools: [{ modul: ./x.mjs }]', 'tools[0].modul: unknown key; did you mean tools[0].module?'],
    ['agents: [{ agnt: x, use: tool }]', 'agents[0].agnt: unknown key; did you mean agents[0].agent?'],
  ];
  for (const [key, problem] of problems) t.match(await failure(t, { 'a.yaml': `${OFFLINE}${key}\n` }), `2: ${problem}`);
});

t.test('what a later version will do is an error now', async (t) => {
  t.equal(await failure(t, { 'a.yaml': `${OFFLINE}allow_reinitialize: maybe\n` }), '2: allow_reinitialize: expected true or false');
});

t.test('wrong YAML and JSON are errors with their line', async (t) => {
  t.match(await failure(t, { 'a.yaml': 'name: x\nmodel: a: b\n' }), /^2: not valid YAML: /);
  t.equal(await failure(t, { 'a.yaml': `name: x\n${OFFLINE}name: y\n` }), '3: a key that stands here already: name');
  t.equal(await failure(t, { 'a.yaml': `${OFFLINE}---\nname: y\n` }), '2: expected one document, not several separated by ---');
  t.match(await failure(t, { 'a.yaml': 'name: !!js/function x\n' }), /^1: not valid YAML: Unresolved tag/);
  t.match(await failure(t, { 'a.yaml': 'name: *x\n' }), /not valid YAML: Unresolved alias/);
  t.equal(await failure(t, { 'a.json': '{\n "name": "x",\n}' }), '3: not valid JSON: Expected double-quoted property name');
  t.match(await failure(t, { 'a.json': '{\n "name": ' }), /^2: not valid JSON: /);
  t.equal(await failure(t, { 'a.json': '{\n "name": "x",\n "name": "y"\n}' }), '3: a key that stands here already: name');
  t.equal(await failure(t, { 'a.json': '{\n\t"model": {},\n\t"nmae": 1\n}' }), '3: nmae: unknown key; did you mean name?');
  t.match(await failure(t, { 'a.txt': '' }), /expected a file ending in/);
});

t.test('a model that could never be used is an error that names what is missing', async (t) => {
  t.match(await failure(t, { 'a.yaml': 'model: { model_id: m }\n' }), /^1: the model has no key: set OPENAI_API_KEY .* `provider: offline`/);
  t.match(await failure(t, { 'a.yaml': 'model: { provider: openai }\n' }), /^1: model\.model_id: required for provider openai/);
  t.match(await failure(t, { 'a.yaml': 'model: { provider: auto }\n' }), /^1: model\.model_id: required for provider auto/);
  const withUrl = (url: string) => ({ 'a.yaml': `model:\n  model_id: m\n  base_url: ${url}\n` });
  t.equal(await failure(t, withUrl('ftp://x')), '3: model.base_url: expected an http or https URL');
  t.equal(await failure(t, withUrl('https://u:p@x')), '3: model.base_url: expected a URL without credentials');
  const plain = { 'a.yaml': 'model: { model_id: m }\n' };
  t.match(await failure(t, plain, loadOptions({ OPENAI_BASE_URL: 'nonsense' })), /OPENAI_BASE_URL: expected an http/);
  for (const options of [loadOptions({ OPENAI_API_KEY: 'k' }), loadOptions({ OPENAI_BASE_URL: 'http://localhost:1' })]) {
    t.equal(await failure(t, { 'a.yaml': 'model: { model_id: m }\n' }, options), 'loaded');
  }
  t.equal(await failure(t, { 'a.yaml': 'model: { model_id: m }\nenvironment: [OPENAI_API_KEY=k]\n' }), 'loaded');
  t.equal(await failure(t, { 'a.yaml': 'model: { model_id: m }\nrequest_env: [OPENAI_API_KEY]\n' }), 'loaded');
});

t.test('an interaction without a key is model_auth_failed', async (t) => {
  const agent = await load(t, { 'a.yaml': 'model: { model_id: m }\nrequest_env: [OPENAI_API_KEY]\n' });
  await t.rejects(runAgent(agent, 'hi'), { code: 'MODEL_AUTH_FAILED', message: /OPENAI_API_KEY/ });
});

t.test('auto is openai for interactions with a key, else offline', async (t) => {
  const server = await startModelServer();
  t.teardown(() => server.close());
  const model = `model: { provider: auto, model_id: m, base_url: "${server.url}" }`;
  const agent = await load(t, { 'a.yaml': `${model}\nrequest_env: [OPENAI_API_KEY]\n` });
  t.same(agent.modelFor({}), { model_id: 'offline', provider: 'offline' });
  t.same(agent.modelFor({ OPENAI_API_KEY: 'sk-mine' }), { model_id: 'm', provider: 'openai' });
  t.match(agent.facts.warnings, [/OPENAI_API_KEY is not set; with it, m answers/]);
  t.match((await runAgent(agent, 'hi')).answer.messages[0], /offline model.*then m answers/);
  const { answer, end } = await runAgent(agent, '@model {"echo":"authorization"}', { env: { OPENAI_API_KEY: 'sk-mine' } });
  t.same(answer.messages, ['Bearer sk-mine']);
  t.same(end.model, { model_id: 'm', provider: 'openai' });
});

for (const api of ['responses', 'chat_completions']) {
  t.test(`${api}: tools, the history and the environment reach the model, over several turns`, async (t) => {
    const server = await startModelServer();
    t.teardown(() => server.close());
    const yaml = `
system_prompt: "Region {{REGION}}{{NOTHING}}, {{ user }}."
model: { model_id: m, base_url: "${server.url}", api: ${api}, params: { temperature: 1, max_tokens: 9 } }
environment: [REGION=eu]
tools:
  - { module: ./t.mjs, only: [add] }
`;
    const agent = await load(t, { 'a.yaml': yaml, 't.mjs': ADD }, { ...loadOptions(), temperature: 0, maxTokens: 5 });
    const steps = [
      { calls: [{ name: 'add', arguments: { a: 1 } }, { name: 'add', arguments: {} }] },
      { calls: [{ name: 'add', arguments: { a: 5 }, id: 'z' }] },
      { text: 'Two and six.' },
    ];
    const history = [{ type: 'message', role: 'user', content: 'earlier' } as const];
    const { answer, end } = await runAgent(agent, `@model ${JSON.stringify(steps)}`, { history });
    t.same(answer.messages, ['Two and six.']);
    t.same(answer.log.filter((line) => line.startsWith('tool_result')).sort(), [
      'tool_result add 2', 'tool_result add 6', 'tool_result add error The arguments are not valid: arguments: must have required property \'a\'.',
    ]);
    t.same(end.usage, { input_tokens: 21, output_tokens: 3, total_tokens: 24 });
    const sent = JSON.stringify(server.requests[0]?.body);
    t.match(sent, /"temperature":0[,}]/);
    t.match(sent, /"max_(output|completion)_tokens":5/);
    t.match(sent, /Region eu, \{\{ user \}\}\./);
    t.match(sent, /earlier/);
    t.equal(server.requests.length, 3);
  });
}

t.test('tools that cannot be loaded are errors that say where and why', async (t) => {
  const yaml = (entry: string) => `${OFFLINE}tools:\n  - ${entry}\n`;
  /** A file that names ./t.mjs, and what that holds. */
  const withModule = (source: string) => ({ 'a.yaml': yaml('{ module: ./t.mjs }'), 't.mjs': source });
  t.equal(await failure(t, { 'a.yaml': yaml('{ module: ./nope.ts }') }), '3: tools[0]: there is no module ./nope.ts');
  t.equal(await failure(t, { 'a.yaml': yaml('{ module: lodash }') }), '3: tools[0]: module: expected a path such as ./tools/time.ts, got lodash');
  const misspelt = { 'a.yaml': yaml('{ module: ./t.mjs, only: [ad] }'), 't.mjs': ADD };
  t.equal(await failure(t, misspelt), '3: tools[0]: only: ./t.mjs has no tool ad; did you mean add?');
  const twice = { 'a.yaml': `${yaml('{ module: ./t.mjs }')}  - { module: ./t.mjs }\n`, 't.mjs': ADD };
  t.match(await failure(t, twice), /^4: tools: two tools are named add/);
  t.match(await failure(t, withModule('export const x = 1;')), /^3: tools\[0\]: \.\/t\.mjs exports no tool/);
  t.match(await failure(t, withModule('export const x = { execute() {} };')), /null: tool x: expected a description/);
  t.match(await failure(t, withModule('export const x = { description: "d", parameters: 1, execute() {} };')), /tool x: parameters must be/);
  t.match(await failure(t, withModule('export const x = { name: "a b", description: "d", execute() {} };')), /tool a b: the name must have/);
  t.equal(await failure(t, withModule('\nexport const x = (;\n')), '2: syntax error: Unexpected token \';\'');
});

nothingIsLeft(t);
