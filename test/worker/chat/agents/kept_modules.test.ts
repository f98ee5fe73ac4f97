// Modules that a generation keeps, over real threads: a second worker runs what the first has read, though all of it is gone from the disk.
import { readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { GenerationModules } from '../../../../shared/protocol.ts';
import { KeptModules } from '../../../../supervisor/workers/kept_modules.ts';
import { readDefinitions } from '../../../../supervisor/workers/read_definitions.ts';
import { Slot } from '../../../../supervisor/workers/slot.ts';
import type { WorkerSettings } from '../../../../supervisor/workers/thread.ts';
import { makeFolder } from '../../../helpers/folder.ts';
import { nothingIsLeft } from '../../../helpers/leftovers.ts';
import { PROJECT } from '../../../helpers/process.ts';
import { waitFor } from '../../../helpers/wait_for.ts';
import { recordingListener, settingsOf, taskOf } from '../../../helpers/worker_settings.ts';

interface Version {
  readonly folder: string;
  readonly kept: KeptModules;
  /** Starts a worker of this version, and waits until it has loaded the agent. @throws BootError */
  boot(): Promise<Slot>;
}

async function create(t: Test, files: Readonly<Record<string, string>>, agent: string): Promise<Version> {
  const folder = await makeFolder(t, files);
  const agentFile = join(folder, agent);
  const settings: WorkerSettings = settingsOf(agentFile, { agentFile, configRoot: folder, ...(await readDefinitions(agentFile, folder)) });
  const kept = new KeptModules(() => undefined);
  const boot = async (): Promise<Slot> => {
    const slot = new Slot(1, 1, { ...settings, modules: kept.all }, {
      stateChanged: () => undefined,
      seatFreed: () => undefined,
      modulesRead: (modules) => kept.keep(modules),
      agentLog: () => undefined,
    });
    t.teardown(() => slot.lose('SHUTTING_DOWN', 'the test is over'));
    await slot.booted;
    return slot;
  };
  return { folder, kept, boot };
}

async function empty(folder: string): Promise<void> {
  for (const name of await readdir(folder)) if (name !== 'node_modules') await rm(join(folder, name), { recursive: true });
}

let asked = 0;

async function answer(slot: Slot, message: string): Promise<unknown> {
  const lines: string[] = [];
  slot.run(taskOf(`${(asked += 1)}`, message), recordingListener(lines));
  await waitFor('the end', () => lines.some((line) => line.startsWith('ended')));
  return lines.at(-1);
}

/** Their names, without the folder. */
const namesOf = ({ read }: GenerationModules): string[] => read.map(({ url }) => url.split('/').at(-1) ?? '').sort();

const KINDS: Readonly<Record<string, string>> = {
  'package.json': '{ "type": "module", "imports": { "#named": "./named.ts" } }',
  'agent.ts': `
    import { createRequire } from 'node:module';
    import facts from './facts.json' with { type: 'json' };
    import common, { place } from './common.cjs';
    import typed from './typed.cts';
    import './query.mjs?a=1';
    import { named } from '#named';
    import { packed } from 'pack';
    const require = createRequire(import.meta.url);
    const told: unknown[] = [facts, common.parts, place, typed.typed, named, packed, require('./facts.json').fact, require('./named.ts').named, require('./lib')];
    export default { async *chat({ message }: { message: string }) {
      yield JSON.stringify(message === 'late' ? (await import('./late.ts')).default : [...told, import.meta.filename]);
    } };`,
  'facts.json': '{ "fact": "é" }',
  'common.cjs': "exports.parts = [require('./part'), require('./more.json')]; exports.place = __filename;",
  'part.cjs': '',
  'part.js': 'export default "as a module";',
  'more.json': '{ "more": 1 }',
  'typed.cts': 'const typed: string = __dirname; module.exports = { typed };',
  'query.mjs': 'export const url = import.meta.url;',
  'named.ts': 'export const named: string = "by the package";',
  'lib/index.js': 'export default "a folder";',
  'late.ts': 'export default "late" as string;',
  'node_modules/pack/package.json': '{ "main": "index.js" }',
  'node_modules/pack/index.js': 'exports.packed = 1;',
};

t.test('every kind of module, whether imported or required, at the place where it was', async (t) => {
  const { folder, kept, boot } = await create(t, KINDS, 'agent.ts');
  const first = await boot();
  const told = await answer(first, 'x');
  t.match(String(told), /é.*as a module.*more.*by the package/);
  t.strictSame(namesOf(kept.all), ['agent.ts', 'common.cjs', 'facts.json', 'index.js', 'more.json', 'named.ts', 'part.js', 'query.mjs?a=1', 'typed.cts']);
  await empty(folder);
  await writeFile(join(folder, 'package.json'), '{ "type": "commonjs" }');
  t.equal(await answer(await boot(), 'x'), told);
});

t.test('one that only an interaction imports, from when the first has', async (t) => {
  const { folder, kept, boot } = await create(t, KINDS, 'agent.ts');
  const first = await boot();
  t.equal(await answer(first, 'late'), 'ended "\\"late\\""');
  await waitFor('the module', () => namesOf(kept.all).includes('late.ts'));
  await empty(folder);
  const second = await boot();
  t.equal(await answer(second, 'late'), 'ended "\\"late\\""');
});

t.test('a definition with its tools and the agents that it uses', async (t) => {
  const yaml = 'model: { provider: offline }\ndescription: one that is used\n';
  const { folder, boot } = await create(t, {
    'agent.yaml': `name: root\n${yaml}tools: [{ module: ./time.ts }]\nagents: [{ agent: ./one.mjs, use: tool }, { agent: ./two.yaml, use: tool }]\n`,
    'time.ts': "import { zone } from './zone.ts';\nexport const time = { description: 'tells it', parameters: { type: 'object' }, execute: (): string => `late in ${zone}` };",
    'zone.ts': 'export const zone = "Rome";',
    'one.mjs': "export default { model: { provider: 'offline' }, description: 'one', agents: [{ agent: './three.yaml', use: 'tool' }] };",
    'two.yaml': `name: two\n${yaml}`,
    'three.yaml': `name: three\n${yaml}`,
  }, 'agent.yaml');
  const first = await boot();
  await empty(folder);
  const second = await boot();
  t.strictSame(await second.booted, await first.booted);
  t.match(await answer(second, '/tool time {}'), /late in Rome/);
});

t.test('where a link leads that is turned to another release', async (t) => {
  const release = (version: string) => ({ [`${version}/agent.mjs`]: `import v from './v.mjs'; export default async function* () { yield v; }`, [`${version}/v.mjs`]: `export default '${version}';` });
  const { folder, boot } = await create(t, { ...release('v1'), ...release('v2') }, 'current/agent.mjs');
  await symlink('v1', join(folder, 'current'));
  t.equal(await answer(await boot(), 'x'), 'ended "v1"');
  await symlink('v2', join(folder, 'next'));
  await rename(join(folder, 'next'), join(folder, 'current'));
  t.equal(await answer(await boot(), 'x'), 'ended "v1"');
});

t.test('an agent of the SDK, with the package from its own node_modules', async (t) => {
  const { folder, boot } = await create(t, {
    'agent.ts': "import { Agent } from '@openai/agents';\nimport { name } from './name.ts';\nexport const request_env = ['OPENAI_API_KEY'];\nexport default new Agent({ name, instructions: 'x', model: 'm' });",
    'name.ts': "export const name: string = 'first';",
    'package.json': '{ "type": "module" }',
  }, 'agent.ts');
  await symlink(join(PROJECT, 'node_modules'), join(folder, 'node_modules'));
  const first = await boot();
  await empty(folder);
  const second = await boot();
  t.match(await second.booted, { name: 'first', framework: 'openai-agents' });
  t.strictSame(await second.booted, await first.booted);
});

t.test('what is too large together is read from disk, which is told once', async (t) => {
  let full = 0;
  const kept = new KeptModules(() => void (full += 1));
  const module = (url: string, mb: number) => ({ url, format: 'module', bytes: new Uint8Array(new SharedArrayBuffer(mb * 1024 * 1024)) });
  kept.keep({ read: [module('a', 20), module('b', 20), module('c', 10), module('d', 10)], found: [] });
  t.strictSame([namesOf(kept.all), full], [['a', 'c'], 1]);
  kept.keep({ read: [module('a', 1)], found: [{ request: 'import x', url: 'a', format: undefined }, { request: 'import x', url: 'b', format: undefined }] });
  t.strictSame([kept.all.read[0]?.bytes.length, kept.all.found], [20 * 1024 * 1024, [{ request: 'import x', url: 'a', format: undefined }]], 'the first counts');
});

nothingIsLeft(t);
