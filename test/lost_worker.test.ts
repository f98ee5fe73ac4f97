// A worker whose thread does not answer any more, or is gone: what ran in it is told once, what had not begun is moved, and the server answers on.
import t, { type Test } from 'tap';
import { within } from './helpers/best_of.ts';
import { chat, send } from './helpers/http_client.ts';
import { begin, beginSome, endsOf, isComplete, keepMeeting, replacementOf, rounds, serveFaulty, workersOf } from './helpers/faulty_server.ts';
import { nothingIsLeft } from './helpers/leftovers.ts';
import type { StartedServer } from './helpers/process.ts';
import { waitFor } from './helpers/wait_for.ts';

t.test('a worker of two', async (t) => {
  const server = await serveFaulty(t);
  await t.test('that loops for ever is given up as stuck and replaced, while the other worker and the server answer', (t) => loops(t, server));
  for (const [fault, expected] of Object.entries(FAULTS)) {
    await t.test(`to ${fault}, again and again, is told with ${expected.code}, and the other worker is whole each time`, (t) => breaks(t, server, fault, expected));
  }
  await t.test('is not blamed when the whole process was suspended, shortly or long, again and again', (t) => suspends(t, server));
});

/** How a thread can be lost, how its interactions are told, and how soon: within a second of STUCK_TIMEOUT_SECONDS, or of its end. */
const FAULTS = {
  loop: { code: 'worker_stuck', toldMs: 2000 + 1000 },
  // How long it takes to fill is the machine's business.
  'fill the heap': { code: 'worker_crashed', toldMs: 30_000 },
  'end the thread': { code: 'worker_crashed', toldMs: 1000 },
};
/** How soon, then, there are as many workers as before. */
const BACK_MS = 2000;
/** More rounds than these are made where none was in time. */
const BREAKS = rounds(1);
const SUSPENSIONS = rounds(20);
const MOST_BREAKS = Math.max(6, BREAKS);

async function breaks(t: Test, server: StartedServer, fault: string, { code, toldMs }: { readonly code: string; readonly toldMs: number }): Promise<void> {
  const tookMs: { readonly told: number; readonly back: number }[] = [];
  const isInTime = () => tookMs.some(({ told }) => told <= toldMs) && tookMs.some(({ back }) => back <= BACK_MS);
  while (tookMs.length < BREAKS || (!isInTime() && tookMs.length < MOST_BREAKS)) {
    const before = await workersOf(server);
    const neighbours = await beginSome(server, 6);
    const offender = await begin(server, fault);
    const began = performance.now();
    t.strictSame(await endsOf([offender]), [code]);
    const told = performance.now();
    await replacementOf(server, before);
    tookMs.push({ told: told - began, back: performance.now() - told });
    const ends = await endsOf(neighbours);
    t.strictSame(ends, neighbours.map(({ thread }) => (thread === offender.thread ? code : 'output')));
    t.ok(neighbours.every((each) => each.thread === offender.thread || isComplete(each)));
  }
  within(t, 'told', toldMs, tookMs.map(({ told }) => told));
  within(t, 'all workers back', BACK_MS, tookMs.map(({ back }) => back));
}

async function loops(t: Test, server: StartedServer): Promise<void> {
  const before = await workersOf(server);
  const neighbours = await beginSome(server, 2);
  const looping = await begin(server, 'loop');
  const began = performance.now();
  const soon = Array.from({ length: 10 }, () => chat(server.url, { message: 'hello' }));
  const over = looping.opened.ended.then(() => performance.now());
  const meanwhile = await lookWhile(server, over);
  t.strictSame(new Set(meanwhile.statuses), new Set([200]));
  t.ok(meanwhile.slowestMs < 1000, `the slowest of ${meanwhile.statuses.length} answers took ${meanwhile.slowestMs} ms`);
  const toldMs = Math.round((await over) - began);
  t.ok(toldMs > 1900 && toldMs < 4000, `the loop was told after ${toldMs} ms`);
  const expected = neighbours.map(({ thread }) => (thread === looping.thread ? 'worker_stuck' : 'output'));
  t.strictSame(await endsOf([looping, ...neighbours]), ['worker_stuck', ...expected]);
  t.equal(new Set(expected).size, 2, 'one neighbour in each thread');
  t.strictSame((await Promise.all(soon)).map(({ status }) => status), Array(10).fill(200), 'what had not begun was moved');
  t.notSame(await replacementOf(server, before), before);
}

/** Asks again and again for what the server itself answers. */
async function lookWhile({ url }: StartedServer, over: Promise<unknown>): Promise<{ statuses: number[]; slowestMs: number }> {
  const statuses: number[] = [];
  let slowestMs = 0;
  const isOver = over.then(() => true);
  while (!(await Promise.race([isOver, false]))) {
    for (const path of ['/health', '/metrics', '/status']) {
      const asked = performance.now();
      statuses.push((await send(url, path)).status);
      slowestMs = Math.max(slowestMs, Math.round(performance.now() - asked));
    }
  }
  return { statuses, slowestMs };
}

async function suspends(t: Test, server: StartedServer): Promise<void> {
  const before = await workersOf(server);
  const meeting = keepMeeting(server, 4);
  for (let round = 1; round <= SUSPENSIONS; round += 1) {
    // Longer than a worker may go without a heartbeat, or so short that nobody would take it for a suspension.
    await suspend(server, round % 20 === 0 ? 3000 : 40 * (round % 20));
  }
  const streams = await meeting.stop();
  t.strictSame(new Set(await endsOf(streams)), new Set(['output']));
  t.ok(streams.every(isComplete));
  t.strictSame(await workersOf(server), before);
}

/** Stops the process for so long, and lets it run for a moment. */
async function suspend({ process: child }: StartedServer, ms: number): Promise<void> {
  const standsFor = async (limitMs: number): Promise<void> => {
    const since = performance.now();
    await waitFor(`${limitMs} ms`, () => performance.now() - since > limitMs);
  };
  child.kill('SIGSTOP');
  await standsFor(ms);
  child.kill('SIGCONT');
  await standsFor(20);
}

nothingIsLeft(t);
