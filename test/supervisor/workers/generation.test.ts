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

/** Runs an interaction in the worker of this place to its end. */
async function run({ generation }: Harness, place: number, message: string): Promise<string[]> {
  const told: string[] = [];
  generation.serving[place]?.run(taskOf(`${place} ${message}`, message), recordingListener(told));
  await waitFor('its end', () => /^(ended|lost)/.test(told.at(-1) ?? ''));
  return told;
}

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
  const neighbour = run(harness, 0, 'hello');
  t.match(await run(harness, 0, 'throw in a timer'), { 2: 'ended AGENT_FAILED' });
  await waitFor('the replacement', () => harness.generation.serving[0]?.id === 2);
  t.equal(threads(harness), 2, 'the old one still lives');
  t.match((await neighbour).at(-1), /^ended "\d+ 1 2 .* 20"$/);
  await waitFor('the end of the old one', () => old.state === 'lost');
  t.equal(threads(harness), 1);
});

t.test('a replacement that does not start is tried again, later and later, while the others serve', async (t) => {
  const folder = await makeFolder(t, { 'agent.mjs': 'export default async function* () { yield "hello"; }' });
  const harness = create(t, `${folder}/agent.mjs`);
  await harness.generation.start();
  await rm(`${folder}/agent.mjs`);
  await harness.generation.serving[0]?.lose('WORKER_CRASHED', 'a test');
  await waitFor('two failures', () => harness.logged.filter((line) => line.startsWith('a replacement did not start')).length === 2);
  t.strictSame(await run(harness, 1, 'x'), ['started', 'text hello', 'ended "hello"']);
  await writeFile(`${folder}/agent.mjs`, 'export default async function* () { yield "again"; }');
  await waitFor('a replacement', () => harness.generation.serving[0]?.state === 'ready');
  t.strictSame(await run(harness, 0, 'x'), ['started', 'text again', 'ended "again"']);
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
