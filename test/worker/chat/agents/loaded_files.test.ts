// The files that a worker tells of, over a real thread: what its agent's modules load, and what they look for in vain.
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { readDefinitions } from '../../../../supervisor/workers/read_definitions.ts';
import { Slot } from '../../../../supervisor/workers/slot.ts';
import { makeFolder } from '../../../helpers/folder.ts';
import { nothingIsLeft } from '../../../helpers/leftovers.ts';
import { waitFor } from '../../../helpers/wait_for.ts';
import { recordingListener, settingsOf, taskOf } from '../../../helpers/worker_settings.ts';

interface Worker {
  readonly slot: Slot;
  /** Those told of so far, by their path from the folder, in alphabetical order. */
  readonly told: () => readonly string[];
}

const GENERATOR = 'export default async function* () { yield "hi"; }\n';

/** Starts a worker and waits until it has loaded the agent, or has not. */
async function boot(t: Test, files: Readonly<Record<string, string>>, agent = 'agent.mjs', tellsFiles = true): Promise<Worker> {
  const folder = await makeFolder(t, files);
  const agentFile = join(folder, agent);
  const read = await readDefinitions(agentFile, folder);
  const slot = new Slot(1, 1, settingsOf(agentFile, { agentFile, configRoot: folder, tellsFiles, ...read }), {
    stateChanged: () => undefined,
    seatFreed: () => undefined,
    modulesRead: () => undefined,
    agentLog: () => undefined,
  });
  t.teardown(() => slot.lose('SHUTTING_DOWN', 'the test is over'));
  await slot.booted.catch(() => undefined);
  return { slot, told: () => slot.files.map((file) => file.slice(folder.length + 1)).sort() };
}

t.test('what is imported and required, each once, neither packages nor builtins nor the server\'s own', async (t) => {
  const { told } = await boot(t, {
    'agent.mjs': `import 'node:fs'; import './a.mjs?x=1'; import './b.cjs'; import facts from './facts.json' with { type: 'json' }; import 'pack';\n${GENERATOR}`,
    'a.mjs': "import './a.mjs?x=2'; import './two words.ts';",
    'two words.ts': 'export const a: number = 1;',
    'b.cjs': "require('./c'); require('node:path');",
    'c.js': "require('./b.cjs');",
    'facts.json': '{}',
    'package.json': '{}',
    'node_modules/pack/package.json': '{ "main": "index.js" }',
    'node_modules/pack/index.js': '',
  });
  t.strictSame(told(), ['a.mjs', 'agent.mjs', 'b.cjs', 'c.js', 'facts.json', 'two words.ts']);
});

t.test('a package of many files leaves room for the agent\'s own', async (t) => {
  const count = 2100;
  const parts = Array.from({ length: count }, (_, at) => [`node_modules/pack/${at}.cjs`, ''] as const);
  const { told } = await boot(t, {
    'agent.mjs': `import 'pack'; await import('./own.mjs');\n${GENERATOR}`,
    'own.mjs': '',
    'node_modules/pack/package.json': '{ "main": "index.cjs" }',
    'node_modules/pack/index.cjs': `for (let i = 0; i < ${count}; i += 1) require('./' + i + '.cjs');`,
    ...Object.fromEntries(parts),
  });
  t.strictSame(told(), ['agent.mjs', 'own.mjs']);
});

t.test('modules of tools, agents that are used, and definitions that a module names', async (t) => {
  const answer = "model: { provider: 'offline' }";
  const yaml = 'model: { provider: offline }\ndescription: one that is used\n';
  const { slot, told } = await boot(t, {
    'agent.mjs': `export default { ${answer}, tools: [{ module: './time.ts' }], agents: [{ agent: './one.mjs', use: 'tool' }, { agent: './two.yaml', use: 'tool' }] };`,
    'time.ts': "import './zone.ts';\nexport const time = { description: 'tells it', execute: (): string => 'late' };",
    'zone.ts': '',
    'one.mjs': `export default { ${answer}, description: 'one that is used' };`,
    'two.yaml': `name: two\n${yaml}`,
  });
  t.equal(slot.state, 'ready');
  t.strictSame(told(), ['agent.mjs', 'one.mjs', 'time.ts', 'two.yaml', 'zone.ts']);
});

t.test('what is missing is told before the failure', async (t) => {
  const missing = async (files: Readonly<Record<string, string>>, agent?: string): Promise<readonly string[]> => {
    const { slot, told } = await boot(t, files, agent);
    await t.rejects(slot.booted);
    return told();
  };
  t.strictSame(await missing({ 'agent.mjs': "import './lib/none.mjs?x';" }), ['agent.mjs', 'lib/none.mjs']);
  t.strictSame(await missing({ 'agent.mjs': "import './b.cjs';", 'b.cjs': "require('./none');" }),
    ['agent.mjs', 'b.cjs', 'none', 'none.js', 'none.json', 'none/index.js']);
  t.strictSame(await missing({ 'agent.mjs': "import 'no-such-package';" }), ['agent.mjs']);
  const yaml = 'model: { provider: offline }\n';
  t.strictSame(await missing({ 'agent.yaml': `${yaml}tools: [{ module: ./none.ts }]\n` }, 'agent.yaml'), ['none.ts']);
  const places = await missing({ 'agent.yaml': `${yaml}agents: [{ agent: none, use: tool }]\n` }, 'agent.yaml');
  t.ok(places.includes('agents/none.yaml') && places.includes('agents/none/agent.ts'), places.join(' '));
});

t.test('an import in an interaction is told when it comes, and the importer\'s error stays its own', async (t) => {
  const chat = "async *chat({ message }) { try { yield (await import(message)).VALUE; } catch (error) { yield error.code; } }";
  const { slot, told } = await boot(t, { 'agent.mjs': `export default { ${chat} };`, 'late.mjs': "export const VALUE = 'late';" });
  const answer = async (message: string): Promise<unknown> => {
    const lines: string[] = [];
    slot.run(taskOf(message, message), recordingListener(lines));
    await waitFor('the end', () => lines.some((line) => line.startsWith('ended')));
    return lines.at(-1);
  };
  t.strictSame(told(), ['agent.mjs']);
  t.equal(await answer('./late.mjs'), 'ended "late"');
  await waitFor('the file', () => told().includes('late.mjs'));
  t.equal(await answer('./none.mjs'), 'ended "ERR_MODULE_NOT_FOUND"');
  await waitFor('the one that is missing', () => told().includes('none.mjs'));
  t.equal(await answer('./a%2fb.mjs'), 'ended "ERR_INVALID_MODULE_SPECIFIER"');
});

t.test('no more than 2,000 are told of', async (t) => {
  const { slot } = await boot(t, {
    'agent.mjs': `import './parts.cjs';\n${GENERATOR}`,
    'parts.cjs': "for (let i = 0; i < 700; i += 1) try { require('./none' + i); } catch {}",
  });
  t.equal(slot.files.length, 2000);
});

t.test('nothing is told where nobody watches', async (t) => {
  const { slot } = await boot(t, { 'agent.mjs': `import './a.mjs';\n${GENERATOR}`, 'a.mjs': '' }, 'agent.mjs', false);
  t.equal(slot.state, 'ready');
  t.strictSame(slot.files, []);
});

nothingIsLeft(t);
