// What one interaction breaks is its own: its neighbours are whole, and a worker that it broke is replaced, without a failure in between.
import t, { type Test } from 'tap';
import { bestOf, within } from './helpers/best_of.ts';
import { send } from './helpers/http_client.ts';
import { begin, beginSome, endsOf, isComplete, keepMeeting, replacementOf, rounds, serveFaulty, workersOf } from './helpers/faulty_server.ts';
import { nothingIsLeft } from './helpers/leftovers.ts';
import type { StartedServer } from './helpers/process.ts';
import { serve } from './helpers/serve.ts';
import { figuresOf, settledWorkers } from './helpers/server_status.ts';
import { waitFor } from './helpers/wait_for.ts';

/** Several times as much, were they kept: each has 400 characters. */
const LINES = 1_000_000;
const FLOOD_MB = 350;
/** What does not heed its cancel, and how. */
const DEAF = { 'ignore the signal': 'notice', 'go on for ever': 'obey', 'block for 1900 ms': 'even hear' };
const ROUNDS = rounds(3);
/** How soon a client is told, and how soon there are as many workers as before. */
const TOLD_MS = 1000;
const BACK_MS = 2000;
const STRAY = ['throw in a timer', 'reject unheard', 'emit an error unheard', 'exit in a timer'];

t.test('what an interaction breaks', async (t) => {
  const server = await serveFaulty(t);
  for (const fault of STRAY) {
    await t.test(`to ${fault} fails the interaction that does, and no other; its worker is replaced`, async (t) => {
      const before = await workersOf(server);
      await failsAlone(t, server, fault);
      t.notSame(await replacementOf(server, before), before);
    });
  }
  await t.test('again and again, of every kind, its neighbours are whole', (t) => failsOften(t, server));
  await t.test('to exit fails the interaction that does, and breaks nothing', async (t) => {
    const before = await workersOf(server);
    await failsAlone(t, server, 'exit');
    t.same(await workersOf(server), before);
  });
  await t.test('a flood of lines is bounded in memory, and each line names its interaction', (t) => floods(t, server));
  for (const [fault, how] of Object.entries(DEAF)) {
    await t.test(`a cancel that the agent does not ${how} is enforced when the grace is over; the worker is replaced, its neighbours are whole`, async (t) => {
      const before = await workersOf(server);
      await endsWithin(t, server, fault, 1700);
      t.notSame(await replacementOf(server, before), before);
    });
  }
  await t.test('so is that of a client which has gone, and a time that is over', async (t) => {
    const before = await workersOf(server);
    (await begin(server, 'go on for ever')).opened.close();
    t.notSame(await replacementOf(server, before), before);
    const hasty = await serve(t, 'faulty', { args: ['--workers', '1'], env: { CHAT_TIMEOUT_SECONDS: '1', CANCEL_GRACE_SECONDS: '0.5' } });
    t.strictSame(await endsOf([await begin(hasty, 'ignore the signal')]), ['timeout']);
    await waitFor('the replacement', async () => (await settledWorkers(hasty, 1))?.[0] !== 1);
  });
  await t.test('a cancel that the agent heeds late, but within the grace, costs no worker', async (t) => {
    const patient = await serve(t, 'faulty', { args: ['--workers', '1'], env: { CANCEL_GRACE_SECONDS: '3' } });
    await endsWithin(t, patient, 'heed the signal late', 2500);
    await waitFor('its end', () => patient.output.stderr.includes('heeded'));
    // Its grace is over when that of one which began it later is.
    await endsWithin(t, patient, 'ignore the signal', 2500);
    await waitFor('the taint', () => patient.output.stderr.includes('goes on though it was cancelled'));
    t.equal(patient.output.stderr.match(/goes on though it was cancelled/g)?.length, 1);
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

/** Neighbours come and go all the while. */
async function failsOften(t: Test, server: StartedServer): Promise<void> {
  const meeting = keepMeeting(server, 6);
  const toldMs: number[] = [];
  for (const fault of [...STRAY, 'exit']) {
    const ends: string[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const offender = await begin(server, fault);
      const began = performance.now();
      ends.push(...(await endsOf([offender])));
      toldMs.push(performance.now() - began);
    }
    t.strictSame(ends, Array(ROUNDS).fill('agent_failed'), fault);
  }
  const neighbours = await meeting.stop();
  within(t, 'a fault is told', TOLD_MS, toldMs);
  t.strictSame(new Set(await endsOf(neighbours)), new Set(['output']));
  t.ok(neighbours.every(isComplete), `${neighbours.length} neighbours`);
  await bestOf(t, 'all workers are back', BACK_MS, async () => {
    const before = await workersOf(server);
    await endsOf([await begin(server, 'throw in a timer')]);
    const told = performance.now();
    await replacementOf(server, before);
    return performance.now() - told;
  });
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
  // The count comes with the next line that has room. What is more than a slow reader takes is dropped, too, and others wait for lines that come now.
  await waitFor('the log to have caught up', async () => {
    const later = await begin(server, 'print 1');
    await endsOf([later]);
    return waitFor('its line', () => server.output.stderr.includes(later.interactionId), 1000).then(() => true, () => false);
  }, 60_000);
  t.ok(dropsOf(server) > 0);
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
  const neighbours = await beginSome(server, 4);
  const stubborn = await begin(server, message);
  await waitFor('the agent to be at it', () => server.output.stderr.includes(`now: ${message}`));
  const began = performance.now();
  const { json } = await send(server.url, `/chat/${stubborn.interactionId}/cancel`, { method: 'POST' });
  const tookMs = Math.round(performance.now() - began);
  t.equal(json['status'], 'cancelled');
  t.ok(tookMs < limitMs, `it took ${tookMs} ms`);
  t.strictSame(await endsOf([stubborn]), ['cancelled']);
  t.strictSame(new Set(await endsOf(neighbours)), new Set(['output']));
  t.ok(neighbours.every(isComplete));
  t.ok(neighbours.some(({ thread }) => thread === stubborn.thread), 'some ran in the same thread');
}

nothingIsLeft(t);
