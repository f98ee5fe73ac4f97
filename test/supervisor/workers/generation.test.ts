// The workers of one version of the agent: started together or not at all, each replaced when it breaks, drained and closed together.
import { rm, writeFile } from 'node:fs/promises';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { Generation } from '../../../supervisor/workers/generation.ts';
import type { Slot } from '../../../supervisor/workers/slot.ts';
import { makeFolder } from '../../helpers/folder.ts';
import { nothingIsLeft } from '../../helpers/leftovers.ts';
import { waitFor } from '../../helpers/wait_for.ts';
import { recordingListener, settingsOf, taskOf } from '../../helpers/worker_settings.ts';

interface Harness {
  readonly generation: Generation;
  readonly logged: readonly string[];
  readonly capacity: () => number;
}

function create(t: Test, agentFile: string, workers = 2, bootTimeoutMs = 20_000): Harness {
  const logged: string[] = [];
  let capacity = 0;
  const generation = new Generation({
    number: 7,
    workers,
    settings: settingsOf('', { agentFile }),
    bootTimeoutMs,
    log: pino({ level: 'debug' }, { write: (line: string) => void logged.push((JSON.parse(line) as { msg: string }).msg) }),
    onCapacity: () => void (capacity += 1),
    agentLog: () => undefined,
  });
  t.teardown(() => generation.close(0));
  return { generation, logged, capacity: () => capacity };
}

const PUPPET = settingsOf('puppet.mjs').agentFile;
const FAULTY = settingsOf('faulty.ts').agentFile;

const idsOf = ({ generation }: Harness): number[] => generation.serving.map(({ id }) => id);
const isReady = ({ state }: Slot): boolean => state === 'ready';
const threads = ({ generation }: Harness): number => [...generation.all()].filter(({ state }) => state !== 'lost').length;

/** Begins an interaction in the worker of this place. @returns what is told of it, as it is told */
function begin({ generation }: Harness, place: number, message: string): string[] {
  const told: string[] = [];
  generation.serving[place]?.run(taskOf(`${place} ${message}`, message), recordingListener(told));
  return told;
}

/** Waits for its end, for as long as a busy machine may take to start some workers. */
async function over(told: string[]): Promise<string[]> {
  await waitFor('its end', () => /^(ended|lost)/.test(told.at(-1) ?? ''), 30_000);
  return told;
}

const run = (harness: Harness, place: number, message: string): Promise<string[]> => over(begin(harness, place, message));

t.test('its workers start together, each with the agent of its own', async (t) => {
  const harness = create(t, PUPPET, 3);
  t.throws(() => harness.generation.facts, { message: 'the generation is not ready' });
  t.match(await harness.generation.start(), { name: 'puppet' });
  t.match(harness.generation.facts, { requestEnv: ['GITHUB_TOKEN'] });
  t.strictSame(idsOf(harness), [1, 2, 3]);
  t.ok(harness.generation.serving.every(isReady));
  t.ok(harness.generation.serving.every(({ generation }) => generation === 7));
});

t.test('an agent that does not load, or not in time, fails the start and leaves no worker', async (t) => {
  const folder = await makeFolder(t, { 'broken.mjs': 'export default {', 'endless.mjs': 'await new Promise(() => setInterval(() => {}, 1000));' });
  const broken = create(t, `${folder}/broken.mjs`);
  await t.rejects(broken.generation.start(), { name: 'BootError' });
  t.equal(threads(broken), 0);
  const endless = create(t, `${folder}/endless.mjs`, 1, 500);
  await t.rejects(endless.generation.start(), { name: 'BootError', message: /did not load within 0\.5 s \(BOOT_TIMEOUT_SECONDS\)/ });
  t.equal(threads(endless), 0);
});

t.test('a worker that is lost is replaced in its place, and whoever waits for capacity is told', async (t) => {
  const harness = create(t, PUPPET);
  await harness.generation.start();
  const before = harness.capacity();
  await harness.generation.serving[0]?.lose('WORKER_STUCK', 'a test');
  await waitFor('the replacement', () => harness.generation.serving[0]?.id === 3);
  t.strictSame(idsOf(harness), [3, 2]);
  t.ok(harness.generation.serving.every(isReady));
  t.ok(harness.capacity() > before);
  t.strictSame(await run(harness, 0, 'say hello'), ['started', 'text hello', 'ended "hello"']);
  t.equal(threads(harness), 2);
});

t.test('a tainted worker keeps its place until another is ready, then ends when its last interaction has', async (t) => {
  const harness = create(t, FAULTY, 1);
  await harness.generation.start();
  const [old] = harness.generation.serving as [Slot];
  const neighbour = run(harness, 0, 'hello 100');
  t.match(await run(harness, 0, 'throw in a timer'), { 2: 'ended AGENT_FAILED' });
  await waitFor('the replacement', () => harness.generation.serving[0]?.id === 2);
  t.equal(threads(harness), 2, 'the old one still lives');
  t.match((await neighbour).at(-1), /^ended "\d+ 1 2 .* 100"$/);
  await waitFor('the end of the old one', () => old.state === 'lost');
  t.equal(threads(harness), 1);
});

t.test('the others of code that nothing else ends are whole where they end in time, and end with their worker where they do not', async (t) => {
  const harness = create(t, FAULTY, 1);
  await harness.generation.start();
  const [old] = harness.generation.serving as [Slot];
  const neighbour = run(harness, 0, 'hello');
  const endless = begin(harness, 0, 'ignore the signal');
  old.taint('a test', 4000);
  await waitFor('the replacement', () => harness.generation.serving[0]?.id === 2, 30_000);
  t.equal(old.state, 'draining', 'it waits for both');
  t.match((await neighbour).at(-1), /^ended "\d+ 1 2 .* 20"$/);
  t.match((await over(endless)).at(-1), /^lost WORKER_CRASHED after it began/);
  t.equal(old.state, 'lost');
  t.match(await run(harness, 0, 'hello'), { 0: 'started' });
});

t.test('a generation that is left ends such a worker all the same', async (t) => {
  const harness = create(t, FAULTY, 1);
  await harness.generation.start();
  const [old] = harness.generation.serving as [Slot];
  const endless = begin(harness, 0, 'ignore the signal');
  old.taint('a test', 1000);
  await waitFor('the replacement', () => harness.generation.serving[0]?.id === 2, 30_000);
  await harness.generation.drain();
  t.match((await over(endless)).at(-1), /^lost WORKER_CRASHED after it began/);
});

t.test('with too many replaced workers that still run something the next one serves on, until the oldest has had its time', async (t) => {
  const harness = create(t, FAULTY, 1);
  await harness.generation.start();
  const endless: string[][] = [];
  const placed = (id: number) => waitFor(`worker ${id}`, () => harness.generation.serving[0]?.id === id, 30_000);
  for (let id = 1; id <= 4; id += 1) {
    const [slot] = harness.generation.serving as [Slot];
    endless.push(begin(harness, 0, 'ignore the signal'));
    slot.taint('a test');
    await placed(id + 1);
  }
  const [fifth] = harness.generation.serving as [Slot];
  const oldest = [...harness.generation.all()].find(({ id }) => id === 1) as Slot;
  const limits = t.capture(oldest.patience, 'limit', oldest.patience.limit);
  fifth.taint('a test');
  await waitFor('it to serve on', () => fifth.hasSeat);
  t.match((await run(harness, 0, 'hello')).at(-1), /^ended /);
  t.strictSame([idsOf(harness), threads(harness)], [[5], 5]);
  fifth.taint('again');
  await waitFor('it to serve on again', () => fifth.hasSeat);
  t.strictSame(limits()[0]?.args, [30_000]);
  await fifth.lose('WORKER_CRASHED', 'a test');
  await placed(6);
  (harness.generation.serving[0] as Slot).taint('a test');
  await waitFor('it to serve on', () => harness.generation.serving[0]?.hasSeat === true);
  oldest.patience.limit(0);
  t.match((await over(endless[0] ?? [])).at(-1), /^lost WORKER_CRASHED/);
  await placed(7);
});

t.test('workers that break again and again are replaced within a second or so, however often', async (t) => {
  const harness = create(t, PUPPET, 1);
  await harness.generation.start();
  let longestMs = 0;
  for (let round = 1; round <= 8; round += 1) {
    const began = performance.now();
    void harness.generation.serving[0]?.lose('WORKER_CRASHED', 'a test');
    await waitFor('the replacement', () => harness.generation.serving[0]?.state === 'ready');
    longestMs = Math.max(longestMs, performance.now() - began);
  }
  // A back-off that went on doubling would be at 6.4 s for the eighth alone.
  t.ok(longestMs < 5000, `${Math.round(longestMs)} ms`);
  t.ok(idsOf(harness)[0] === 9, 'one for each');
});

t.test('a sound worker that is replaced serves until the other is ready, and then finishes what it has', async (t) => {
  const harness = create(t, PUPPET, 1);
  await harness.generation.start();
  const [old] = harness.generation.serving as [Slot];
  const running = begin(harness, 0, 'say a\nhold it\nsay b');
  t.ok(harness.generation.recycle(old));
  t.notOk(harness.generation.recycle(old), 'it is being replaced');
  t.strictSame([old.state, old.hasSeat], ['ready', true]);
  await waitFor('the replacement', () => harness.generation.serving[0]?.id === 2, 30_000);
  t.equal(old.state, 'draining');
  old.run(taskOf('release', 'release it'), recordingListener([]));
  t.equal((await over(running)).at(-1), 'ended "ab"');
  await waitFor('the end of the old one', () => old.state === 'lost');
  t.notOk(harness.generation.recycle(old), 'it has no place');
  t.strictSame(harness.logged.filter((line) => line.startsWith('worker 1')), [
    'worker 1 is ready: the agent is loaded', 'worker 1 is draining: replaced', 'worker 1 is lost: closed',
  ]);
});

t.test('a worker beside the others has no place; a drain waits for it while somebody holds its seat, booting or not', async (t) => {
  const harness = create(t, PUPPET, 1);
  await harness.generation.start();
  const beside = harness.generation.startBeside((settings) => ({ ...settings, concurrency: 1 }));
  t.strictSame([idsOf(harness), [...harness.generation.all()].length], [[1], 2]);
  const release = beside.hold();
  let isDrained = false;
  const drained = harness.generation.drain().then(() => (isDrained = true));
  t.match(await harness.generation.bootedInTime(beside), { name: 'puppet' });
  const told: string[] = [];
  beside.run(taskOf('a', 'say hello'), recordingListener(told));
  release();
  t.notOk(isDrained);
  await drained;
  t.strictSame(told, ['started', 'text hello', 'ended "hello"']);
  await beside.close(1000);
  t.equal(threads(harness), 1);
});

t.test('a replacement, and a worker of its own, have the version of the generation, whatever is on disk by then', async (t) => {
  const folder = await makeFolder(t, {
    'agent.mjs': "import { word } from './word.mjs'; export default async function* () { yield `${word} ${(await import('./late.mjs')).late}`; }",
    'word.mjs': "export const word = 'old';",
    'late.mjs': "export const late = 'too';",
  });
  const harness = create(t, `${folder}/agent.mjs`);
  await harness.generation.start();
  t.strictSame(await run(harness, 0, 'x'), ['started', 'text old too', 'ended "old too"']);
  for (const name of ['late', 'word']) await writeFile(`${folder}/${name}.mjs`, `export const ${name} = 'new';`);
  await writeFile(`${folder}/agent.mjs`, 'export const = 1;');
  await harness.generation.serving[1]?.lose('WORKER_CRASHED', 'a test');
  await waitFor('the replacement', () => harness.generation.serving[1]?.state === 'ready');
  t.strictSame(await run(harness, 1, 'x'), ['started', 'text old too', 'ended "old too"']);
  const beside = harness.generation.startBeside((settings) => ({ ...settings, concurrency: 1 }));
  await harness.generation.bootedInTime(beside);
  await beside.close(0);
});

/** Fails to load while there is a file `broken` beside it, which is nothing that a generation keeps. */
const BREAKABLE = `
import { existsSync } from 'node:fs';
if (existsSync(new URL('broken', import.meta.url))) throw new Error('it is broken');
export default { name: 'breakable', async *chat({ message }) {
  if (message === 'stray') setTimeout(() => { throw new Error('stray'); });
  yield 'hello';
} };`;

const failures = ({ logged }: Harness): number => logged.filter((line) => line.startsWith('a replacement did not start')).length;

t.test('a replacement that does not start is tried again, later and later, while the others serve', async (t) => {
  const folder = await makeFolder(t, { 'agent.mjs': BREAKABLE });
  const harness = create(t, `${folder}/agent.mjs`);
  await harness.generation.start();
  await writeFile(`${folder}/broken`, '');
  await harness.generation.serving[0]?.lose('WORKER_CRASHED', 'a test');
  await waitFor('two failures', () => failures(harness) === 2);
  t.strictSame(await run(harness, 1, 'x'), ['started', 'text hello', 'ended "hello"']);
  await rm(`${folder}/broken`);
  await waitFor('a replacement', () => harness.generation.serving[0]?.state === 'ready');
  t.strictSame(await run(harness, 0, 'x'), ['started', 'text hello', 'ended "hello"']);
});

t.test('a worker that threw once serves on while no replacement starts, however often it throws, until one does', async (t) => {
  const folder = await makeFolder(t, { 'agent.mjs': BREAKABLE });
  const harness = create(t, `${folder}/agent.mjs`, 1);
  await harness.generation.start();
  const [old] = harness.generation.serving as [Slot];
  await writeFile(`${folder}/broken`, '');
  await run(harness, 0, 'stray');
  await waitFor('the first failure', () => failures(harness) === 1);
  await waitFor('the worker to be back', () => old.hasSeat);
  await run(harness, 0, 'stray');
  t.strictSame([old.state, await run(harness, 0, 'x')], ['ready', ['started', 'text hello', 'ended "hello"']]);
  await rm(`${folder}/broken`);
  await waitFor('a replacement', () => harness.generation.serving[0] !== old && harness.generation.serving[0]?.state === 'ready');
  await waitFor('the end of the old one', () => old.state === 'lost');
});

t.test('a worker that runs what ignores its cancel does not, though it threw before', async (t) => {
  const folder = await makeFolder(t, { 'agent.mjs': BREAKABLE });
  const harness = create(t, `${folder}/agent.mjs`, 1);
  await harness.generation.start();
  const [old] = harness.generation.serving as [Slot];
  await writeFile(`${folder}/broken`, '');
  await run(harness, 0, 'stray');
  old.taint('a test', 60_000);
  await waitFor('two failures', () => failures(harness) === 2);
  t.equal(old.state, 'tainted');
});

t.test('a drain takes nothing new and resolves when nothing runs; closing ends every thread, and nothing is replaced', async (t) => {
  const harness = create(t, FAULTY);
  await harness.generation.start();
  const running = run(harness, 0, 'hello');
  const drained = harness.generation.drain();
  t.ok(harness.generation.serving.every(({ hasSeat }) => !hasSeat));
  await drained;
  t.match((await running).at(-1), /^ended "/);
  await harness.generation.close(1000);
  t.equal(threads(harness), 0);
  t.strictSame(idsOf(harness), [1, 2]);
});

nothingIsLeft(t);
