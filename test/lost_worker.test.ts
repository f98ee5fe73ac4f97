// A worker whose thread does not answer any more, or is gone: what ran in it is told once, what had not begun is moved, and the server answers on.
import t, { type Test } from 'tap';
import { chat, send } from './helpers/http_client.ts';
import { begin, beginSome, endsOf, replacementOf, serveFaulty, workersOf } from './helpers/faulty_server.ts';
import { nothingIsLeft } from './helpers/leftovers.ts';
import type { StartedServer } from './helpers/process.ts';
import { waitFor } from './helpers/wait_for.ts';

t.test('a worker of two', async (t) => {
  const server = await serveFaulty(t);
  await t.test('that loops for ever is given up as stuck and replaced, while the other worker and the server answer', (t) => loops(t, server));
  await t.test('whose heap is full ends: each of its streams is told so once, and the other worker is whole', (t) => exhausts(t, server));
  await t.test('is not blamed when the whole process was suspended', (t) => suspends(t, server));
});

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

async function exhausts(t: Test, server: StartedServer): Promise<void> {
  const before = await workersOf(server);
  const neighbours = await beginSome(server, 20);
  const began = performance.now();
  const filling = await begin(server, 'fill the heap');
  t.strictSame(await endsOf([filling]), ['worker_crashed']);
  const toldMs = Math.round(performance.now() - began);
  t.ok(toldMs < 5000, `it was told after ${toldMs} ms`);
  const expected = neighbours.map(({ thread }) => (thread === filling.thread ? 'worker_crashed' : 'output'));
  t.strictSame(await endsOf(neighbours), expected);
  t.equal(new Set(expected).size, 2, 'neighbours in both threads');
  t.notSame(await replacementOf(server, before), before);
}

async function suspends(t: Test, server: StartedServer): Promise<void> {
  const before = await workersOf(server);
  const streams = await beginSome(server, 4);
  server.process.kill('SIGSTOP');
  const stoppedAt = performance.now();
  await waitFor('three seconds of standstill', () => performance.now() - stoppedAt > 3000);
  server.process.kill('SIGCONT');
  t.strictSame(await endsOf(streams), Array(4).fill('output'));
  t.strictSame(await workersOf(server), before);
}

nothingIsLeft(t);
