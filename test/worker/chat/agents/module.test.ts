import { join } from 'node:path';
import t, { type Test } from 'tap';
import { makeFolder } from '../../../helpers/folder.ts';
import { loadFile, loadOptions, runAgent } from '../../../helpers/interaction.ts';
import { nothingIsLeft } from '../../../helpers/leftovers.ts';
import { AgentLoadError } from '../../../../shared/agent/load_error.ts';

async function load(t: Test, source: string, name = 'agent.ts', more: Readonly<Record<string, string>> = {}) {
  const folder = await makeFolder(t, { [name]: source, ...more });
  const agent = await loadFile(join(folder, name), loadOptions());
  t.teardown(() => agent.close());
  return agent;
}

async function failure(t: Test, source: string, name?: string, more?: Readonly<Record<string, string>>): Promise<string> {
  try {
    await load(t, source, name, more);
    return 'loaded';
  } catch (error) {
    if (!(error instanceof AgentLoadError)) throw error;
    t.notMatch(error.message, /oai-test-|\n/, 'one line, without the folder');
    return `${error.file?.split('/').at(-1)}:${error.line}: ${error.message}`;
  }
}

t.test('a definition may hold its tools itself, by name or in a list', async (t) => {
  const tool = "{ description: 'says hi', execute: ({ to }) => `hi ${to}` }";
  const byName = await load(t, `export default { model: { provider: 'offline' }, tools: { greet: ${tool} } };`);
  t.same(byName.facts.tools, [{ name: 'greet', description: 'says hi' }]);
  t.same((await runAgent(byName, '/tool greet {"to":"you"}')).answer.messages, ['The tool greet returned: hi you']);
  const list = `[{ name: 'greet', ...${tool} }, { module: './more.ts' }]`;
  const listed = await load(t, `export default { model: { provider: 'offline' }, tools: ${list} };`, 'agent.ts', {
    'more.ts': "export const wave = { description: 'waves', execute: (): string => 'o/' };",
  });
  t.same(listed.facts.tools.map((item) => item.name), ['greet', 'wave']);
});

t.test('an async generator is an agent, bare or with a name', async (t) => {
  const bare = await load(t, "export default async function* (input) { yield 'You said ' + input.message; }");
  t.match(bare.facts, { name: 'asked', framework: 'generator', model: null });
  t.same((await runAgent(bare, 'x')).answer.messages, ['You said x']);
  const source = `export default {
    name: 'own',
    environment: ['A=1'],
    request_env: ['B_TOKEN'],
    async *chat(input, context) { yield context.env.A; },
  };`;
  const named = await load(t, source);
  t.match(named.facts, { name: 'own', requestEnv: ['B_TOKEN'] });
  t.same((await runAgent(named, 'x')).answer.messages, ['1']);
  const instance = await load(t, 'class Mine { description = "d"; async *chat() { yield this.description; } }\nexport default new Mine();');
  t.same((await runAgent(instance, 'x')).answer.messages, ['d']);
});

t.test('other default exports are errors that say what was expected', async (t) => {
  for (const value of ['42', '() => {}', '[]', 'null', '{ name: "x" }', 'function* () {}']) {
    t.match(await failure(t, `export default ${value};`), /^agent\.ts:null: expected the default export to be/);
  }
  t.match(await failure(t, 'export const agent = 1;'), /^agent\.ts:null: there is no default export/);
  const sdk = "{ name: 'x', instructions: '', tools: [], handoffs: [], getSystemPrompt() {}, getAllTools() {}, asTool() {} }";
  const missing = "agent.ts:null: Cannot find package '@openai/agents': install it next to the agent, with npm install @openai/agents zod";
  t.equal(await failure(t, `export default ${sdk};`), missing);
  t.equal(await failure(t, 'export default { chta: 1, async *chat() {} };'), 'agent.ts:null: chta: unknown key; did you mean chat?');
  t.equal(await failure(t, 'export default { chat: 1 };'), 'agent.ts:null: chat: expected a function');
});

t.test('modules that cannot be imported are errors with file and line', async (t) => {
  t.match(await failure(t, 'const a = 1;\nenum A { B }\nexport default A;'), /^agent\.ts:2: TypeScript enum is not supported in .*: Node runs/);
  t.equal(await failure(t, 'export default {\n a: (\n};'), 'agent.ts:3: syntax error: Expression expected');
  t.equal(await failure(t, 'export default {\n a: (\n};', 'agent.mjs'), 'agent.mjs:3: syntax error: Unexpected token \'}\'');
  t.equal(await failure(t, 'import "./nope.ts";'), 'agent.ts:null: Cannot find module \'./nope.ts\'');
  const asJs = await failure(t, 'import "./more.js";', 'agent.ts', { 'more.ts': '' });
  t.equal(asJs, 'agent.ts:null: Cannot find module \'./more.js\' (a TypeScript file is imported as .ts)');
  const unknown = 'agent.ts:null: Cannot find package \'no-such-package\': install it next to the agent, with npm install no-such-package';
  t.equal(await failure(t, 'import "no-such-package";'), unknown);
  const untyped = await failure(t, '\nimport { T } from "./more.ts";', 'agent.ts', { 'more.ts': 'export type T = 1;' });
  t.match(untyped, /^agent\.ts:2: The requested module '\.\/more\.ts' does not provide an export named 'T' \(a type is imported with/);
  t.match(await failure(t, 'import "./more.ts";', 'agent.ts', { 'more.ts': '\n\nenum A {}' }), /^more\.ts:3: TypeScript enum/);
  t.match(await failure(t, '\nmodule.exports = {};', 'agent.mjs'), /^agent\.mjs:2: module is not defined in ES module scope: use import and export/);
  t.match(await failure(t, '\nconst fs = require("fs");\nexport default fs;'), /^agent\.ts:2: require is not defined in ES module scope: use import/);
  t.equal(await failure(t, '\n\nthrow new TypeError("boom");\nexport {};'), 'agent.ts:3: TypeError: boom');
  t.equal(await failure(t, 'throw "boom";\nexport {};'), 'agent.ts:null: the module threw boom');
  const json = await failure(t, 'import x from "./x.json";\nexport default x;', 'agent.ts', { 'x.json': '{}' });
  t.match(json, /^agent\.ts:null: TypeError: .* needs an import attribute of "type: json"/);
});

t.test('a CommonJS module is an agent as well', async (t) => {
  const agent = await load(t, "module.exports = { model: { provider: 'offline' } };", 'agent.js');
  t.equal(agent.facts.framework, 'declarative');
});

nothingIsLeft(t);
