// What one interaction breaks is its own: its neighbours are whole, and a worker that it broke is replaced, without a failure in between.
import t, { type Test } from 'tap';
import { send } from './helpers/http_client.ts';
import { begin, beginSome, endsOf, isComplete, replacementOf, serveFaulty, workersOf } from './helpers/faulty_server.ts';
import { nothingIsLeft } from './helpers/leftovers.ts';
import type { StartedServer } from './helpers/process.ts';
import { figuresOf } from './helpers/server_status.ts';
import { waitFor } from './helpers/wait_for.ts';

/** Several times as much, were they kept: each has 400 characters. */
const LINES = 1_000_000;
const FLOOD_MB = 350;

t.test('what an interaction breaks', async (t) => {
  const server = await serveFaulty(t);
  for (const fault of ['throw in a timer', 'reject unheard', 'emit an error unheard', 'exit in a timer']) {
    await t.test(`to ${fault} fails the interaction that does, and no other; its worker is replaced`, async (t) => {
      const before = await workersOf(server);
      await failsAlone(t, server, fault);
      t.notSame(await replacementOf(server, before), before);
    });
  }
  await t.test('to exit fails the interaction that does, and breaks nothing', async (t) => {
    const before = await workersOf(server);
    await failsAlone(t, server, 'exit');
    t.same(await workersOf(server), before);
  });
  await t.test('a flood of lines is bounded in memory, and each line names its interaction', (t) => floods(t, server));
  await t.test('a cancel that the generator does not heed leaves it behind', async (t) => {
    const before = await workersOf(server);
    await endsWithin(t, server, 'ignore the signal', 3000);
    t.same(await workersOf(server), before);
  });
  await t.test('a cancel that the thread does not even hear is enforced when the grace is over, and the worker is replaced', async (t) => {
    const before = await workersOf(server);
    await endsWithin(t, server, 'block for 1900 ms', 1700);
    t.notSame(await replacementOf(server, before), before);
  });
});

async function failsAlone(t: Test, server: StartedServer, fault: string): Promise<void> {
  const neighbours = await beginSome(server, 10);
  const offender = await begin(server, fault);
  t.strictSame(await endsOf([offender]), ['agent_failed']);
  const later = await beginSome(server, 4);
  t.strictSame(new Set(await endsOf([...neighbours, ...later])), new Set(['output']));
  t.ok(neighbours.every(isComplete));
  t.ok(neighbours.some(({ thread }) => thread === offender.thread), 'some ran in the same thread');
}

async function floods(t: Test, server: StartedServer): Promise<void> {
  const before = await workersOf(server);
  const { residentMb } = await figuresOf(server);
  const neighbours = await beginSome(server, 4);
  const printing = await begin(server, `print ${LINES}`);
  t.strictSame(new Set(await endsOf([...neighbours, printing])), new Set(['output']));
  const growthMb = Math.round((await figuresOf(server)).residentMb - residentMb);
  t.ok(growthMb < FLOOD_MB, `it grew by ${growthMb} MB`);
  const lines = linesOf(server);
  t.ok(lines.every((line) => line.includes(`"interaction_id":"${printing.interactionId}"`)));
  // The count comes with the next line that has room.
  await waitFor('the count of the dropped ones', async () => {
    await endsOf([await begin(server, 'print 1')]);
    return dropsOf(server) > 0;
  });
  t.ok(lines.length > 0 && lines.length + dropsOf(server) <= LINES + linesOf(server).length - lines.length, 'no line is told twice');
  t.pass(`${lines.length} of ${LINES} lines were written`);
  t.same(await workersOf(server), before);
}

const linesOf = ({ output }: StartedServer): string[] => output.stderr.split('\n').filter((line) => line.includes(' of many '));

/** How many lines were dropped, as the log tells. */
function dropsOf({ output }: StartedServer): number {
  const told = output.stderr.matchAll(/"(\d+) earlier writes of the agent were dropped"/g);
  return told.reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Cancels it once it does what it was asked to; it has to end within so much time. */
async function endsWithin(t: Test, server: StartedServer, message: string, limitMs: number): Promise<void> {
  const stubborn = await begin(server, message);
  await waitFor('the agent to be at it', () => server.output.stderr.includes(`now: ${message}`));
  const began = performance.now();
  const { json } = await send(server.url, `/chat/${stubborn.interactionId}/cancel`, { method: 'POST' });
  const tookMs = Math.round(performance.now() - began);
  t.equal(json['status'], 'cancelled');
  t.ok(tookMs < limitMs, `it took ${tookMs} ms`);
  t.strictSame(await endsOf([stubborn]), ['cancelled']);
}

nothingIsLeft(t);
