// A worker's slot over a real thread: boots, runs, takes back, ends, and says of each interaction exactly once how it ended.
import { readdirSync } from 'node:fs';
import t, { type Test } from 'tap';
import { Slot } from '../../../supervisor/workers/slot.ts';
import type { WorkerSettings } from '../../../supervisor/workers/thread.ts';
import { nothingIsLeft } from '../../helpers/leftovers.ts';
import { waitFor } from '../../helpers/wait_for.ts';
import { recordingListener, settingsOf, taskOf } from '../../helpers/worker_settings.ts';

interface Harness {
  readonly slot: Slot;
  readonly states: readonly string[];
  readonly logged: readonly string[];
  readonly freed: () => number;
}

function boot(t: Test, agent: string, overrides: Partial<WorkerSettings> = {}): Harness {
  const states: string[] = [];
  const logged: string[] = [];
  let freed = 0;
  const slot = new Slot(1, 1, settingsOf(agent, overrides), {
    stateChanged: ({ state }, reason) => void states.push(`${state}: ${reason}`),
    seatFreed: () => void (freed += 1),
    modulesRead: () => undefined,
    agentLog: (_slot, id, level, text) => void logged.push(`${id} ${level} ${text.split('\n')[0]}`),
  });
  t.teardown(() => slot.lose('SHUTTING_DOWN', 'the test is over'));
  return { slot, states, logged, freed: () => freed };
}

async function ready(t: Test, agent: string, overrides: Partial<WorkerSettings> = {}): Promise<Harness> {
  const harness = boot(t, agent, overrides);
  await harness.slot.booted;
  return harness;
}

/** Runs an interaction; resolves with the list of what is told of it. */
function run({ slot }: Harness, id: string, message: string): string[] {
  const told: string[] = [];
  slot.run(taskOf(id, message), recordingListener(told));
  return told;
}

const over = (told: readonly string[]): Promise<true> => waitFor('its end', () => /^(ended|lost)/.test(told.at(-1) ?? ''));

t.test('it boots, runs interactions beside each other, and closes', async (t) => {
  const harness = boot(t, 'puppet.mjs', { concurrency: 2 });
  t.notOk(harness.slot.hasSeat, 'nothing runs while it boots');
  t.match(await harness.slot.booted, { name: 'puppet', framework: 'generator' });
  const waiting = run(harness, 'a', 'say one\nhold gate\nsay two');
  const quick = run(harness, 'b', 'say quick');
  t.notOk(harness.slot.hasSeat);
  t.throws(() => run(harness, 'c', 'x'), { message: 'no free seat' });
  await over(quick);
  t.strictSame(quick, ['started', 'text quick', 'ended "quick"']);
  t.strictSame([harness.slot.active, harness.slot.served, harness.freed()], [1, 1, 1]);
  const releasing = run(harness, 'c', 'release gate');
  await Promise.all([over(waiting), over(releasing)]);
  t.strictSame(waiting, ['started', 'text one', 'text two', 'ended "onetwo"']);
  await harness.slot.close(1000);
  t.strictSame(harness.states, ['ready: the agent is loaded', 'lost: closed']);
});

t.test('an agent that does not load fails the boot with the reason, and leaves no thread', async (t) => {
  const { slot, states } = boot(t, 'nowhere.mjs');
  await t.rejects(slot.booted, { name: 'BootError' });
  await waitFor('its loss', () => slot.state === 'lost');
  t.match(states, [/^lost: /]);
});

t.test('an agent that goes on for longer than the grace of its cancel taints the worker; one that ends in time does not', async (t) => {
  const harness = await ready(t, 'puppet.mjs');
  const [hanging, deaf] = [run(harness, 'a', 'hang'), run(harness, 'b', 'deaf')];
  await waitFor('both to begin', () => hanging.length > 0 && deaf.length > 0);
  harness.slot.cancel('a', 50);
  await over(hanging);
  harness.slot.cancel('b', 200);
  await over(deaf);
  t.strictSame([harness.slot.state, deaf], ['ready', ['started', 'ended CANCELLED']], 'its caller is told at once');
  await waitFor('the taint', () => harness.slot.state === 'tainted');
  t.strictSame(harness.states.slice(1), ['tainted: interaction b goes on though it was cancelled']);
  harness.slot.serveOn('a test');
  t.strictSame(await over(run(harness, 'c', 'say all the same')), true);
});

t.test('a cancel reaches the agent; credit lets one that waits for its reader go on', async (t) => {
  const harness = await ready(t, 'puppet.mjs');
  const hanging = run(harness, 'a', 'hang');
  await waitFor('it to begin', () => hanging.length > 0);
  harness.slot.cancel('unknown', 5000);
  harness.slot.cancel('a', 5000);
  await over(hanging);
  t.strictSame(hanging, ['started', 'ended CANCELLED']);
  const long = run(harness, 'b', 'pieces 400');
  await waitFor('the window to be full', () => long.length > 100);
  harness.slot.credit('b', 1024 * 1024);
  await over(long);
  t.equal(long.length, 402);
});

t.test('a thread that stands still is suspect: what had not begun is taken back, its seat is free again once the thread has seen that', async (t) => {
  const harness = await ready(t, 'faulty.ts', { concurrency: 2 });
  const blocking = run(harness, 'a', 'block for 1500 ms');
  await waitFor('the block', () => harness.logged.includes('a info now: block for 1500 ms'));
  const behind = run(harness, 'b', 'hello');
  const beats = harness.slot.heartbeat;
  await waitFor('the task to be sent', () => new Promise<true>((resolve) => setImmediate(() => resolve(true))));
  harness.slot.suspect();
  t.strictSame(behind, ['lost WORKER_STUCK before it began']);
  t.match(blocking, ['started', /^text/]);
  t.strictSame([harness.slot.active, harness.slot.hasSeat], [1, false]);
  await waitFor('the heartbeat', () => harness.slot.heartbeat > beats);
  harness.slot.recover();
  await waitFor('the free seat', () => harness.slot.hasSeat);
  t.equal(harness.freed(), 1, 'whoever waits for a seat is told');
  t.equal(behind.length, 1);
});

t.test('a thread that loops is given up: what runs is told so, and the thread is gone', async (t) => {
  const harness = await ready(t, 'faulty.ts');
  const looping = run(harness, 'a', 'loop');
  await waitFor('the loop', () => harness.logged.includes('a info now: loop'));
  await harness.slot.lose('WORKER_STUCK', 'no heartbeat');
  t.strictSame(looping.at(-1), 'lost WORKER_STUCK after it began');
  t.strictSame([harness.slot.state, harness.slot.active], ['lost', 0]);
});

t.test('one that is given up again and again has one end, and starts no other thread', async (t) => {
  const { slot, states } = await ready(t, 'puppet.mjs');
  const before = threadCount();
  await Promise.all([slot.lose('WORKER_STUCK', 'first'), slot.lose('WORKER_CRASHED', 'second'), slot.close(0)]);
  t.strictSame(states, ['ready: the agent is loaded', 'lost: first']);
  await waitFor('the end of its thread', () => threadCount() < before);
});

/** Of this process; Linux only. */
function threadCount(): number {
  return readdirSync('/proc/self/task').length;
}

t.test('a thread that ends by itself is lost; frames that it had sent are told first', async (t) => {
  const harness = await ready(t, 'faulty.ts', { heapMb: 48 });
  const filling = run(harness, 'a', 'fill the heap');
  await over(filling);
  t.match(filling, ['started', /^text \d+$/, 'lost WORKER_CRASHED after it began']);
  t.match(harness.states.at(-1), /^lost: .*memory/);
});

t.test('a stray error taints it: it takes nothing new, and what runs goes on', async (t) => {
  const harness = await ready(t, 'faulty.ts');
  const neighbour = run(harness, 'a', 'hello');
  const stray = run(harness, 'b', 'throw in a timer');
  await over(stray);
  t.equal(stray.at(-1), 'ended AGENT_FAILED');
  await waitFor('the taint', () => harness.slot.state === 'tainted');
  t.notOk(harness.slot.hasSeat);
  t.match(harness.logged.at(-1), /^b error Error: stray throw/);
  await over(neighbour);
  t.match(neighbour.at(-1), /^ended "\d+ 1 2 .* 20"$/);
});

t.test('a drain waits for what runs, and not for what is abandoned', async (t) => {
  const harness = await ready(t, 'puppet.mjs');
  const told = run(harness, 'a', 'hold gate');
  const deaf = run(harness, 'b', 'deaf');
  await waitFor('both to begin', () => told.length + deaf.length === 2);
  let drained = false;
  const draining = harness.slot.drain('left').then(() => (drained = true));
  t.notOk(harness.slot.hasSeat);
  harness.slot.abandon('b');
  harness.slot.cancel('a', 5000);
  await over(told);
  await draining;
  t.ok(drained);
  t.strictSame(deaf, ['started'], 'its owner has told its end already');
});

nothingIsLeft(t);
