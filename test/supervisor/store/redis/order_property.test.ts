// Whatever three machines do with three sessions at once: one at a time runs in each, in the order in which Redis took them in, and nothing is left.
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import type { Redis } from 'ioredis';
import t from 'tap';
import { nothingIsLeft } from '../../../helpers/leftovers.ts';
import { machineOn, observe, type Machine } from '../../../helpers/redis_machine.ts';
import { redisOrSkip } from '../../../helpers/redis_server.ts';
import { waitFor } from '../../../helpers/wait_for.ts';

/** One interaction. `patienceMs`: it leaves when it has waited for so long; null: it waits until its turn comes. */
const interactions = fc.array(
  fc.record({
    machine: fc.nat(2),
    session: fc.nat(2),
    pauseMs: fc.constantFrom(0, 0, 0, 1, 3),
    runMs: fc.constantFrom(0, 0, 1, 4),
    patienceMs: fc.constantFrom(null, null, null, 0, 2, 10),
    appends: fc.boolean(),
  }),
  { minLength: 1, maxLength: 60 },
);
type Scripted = typeof interactions extends fc.Arbitrary<readonly (infer T)[]> ? T : never;

/** What became of it. */
interface Course {
  readonly ticket: string;
  readonly session: string;
  readonly appended: boolean;
}

t.test('one at a time, in order, and all of them', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const machines = [await machineOn(t, redis), await machineOn(t, redis), await machineOn(t, redis)];
  const raw = observe(t, redis);
  const entered = await enteredOn(raw);
  t.teardown(() => entered.end());
  let runs = 0;
  const property = fc.asyncProperty(interactions, async (script) => {
    const prefix = `run ${(runs += 1)} `;
    const begun: Course[] = [];
    const running = new Map<string, string>();
    const courses: Promise<void>[] = [];
    for (const scripted of script) {
      if (scripted.pauseMs > 0) await delay(scripted.pauseMs);
      courses.push(live(machines[scripted.machine] as Machine, `${prefix}${scripted.session}`, scripted, running, begun));
    }
    await Promise.all(courses);
    await waitFor('empty lines', async () => (await raw.keys(`oai:a:line*:${prefix}*`)).length === 0);
    for (const session of [0, 1, 2].map((n) => `${prefix}${n}`)) {
      const here = begun.filter((course) => course.session === session);
      const tickets = here.map(({ ticket }) => ticket);
      await waitFor('all that entered to be known', () => tickets.every((ticket) => entered.of(session).includes(ticket)));
      const expected = entered.of(session).filter((ticket) => tickets.includes(ticket));
      if (expected.join() !== tickets.join()) throw new Error(`began in another order: ${tickets.join()} instead of ${expected.join()}`);
      const appended = here.filter((course) => course.appended).map(({ ticket }) => JSON.stringify([ticket]));
      const { turns, turnCount } = await (machines[0] as Machine).sessions.history(session, 2000, 0);
      if (turns.join() !== appended.join() || turnCount !== appended.length) throw new Error(`appended in another order: ${turns.join()}`);
    }
  });
  await fc.assert(property, { seed: 20_261_123, numRuns: 150, endOnFailure: true });
  const kinds = new Set((await raw.keys('*')).map((key) => key.split(':')[2]));
  t.strictSame([...kinds].toSorted(), ['server', 'session', 'turns'], 'nothing is left but the sessions, their turns, and leases');
});

async function live(machine: Machine, session: string, scripted: Scripted, running: Map<string, string>, begun: Course[]): Promise<void> {
  const { runMs, patienceMs, appends } = scripted;
  const place = await machine.order.enter(session, 'me', false);
  const { ticket } = place;
  const hasBegun = new Promise<boolean>((resolve, reject) => {
    place.whenTurn(() => {
      const other = running.get(session);
      if (other === undefined) running.set(session, ticket);
      else reject(new Error(`${ticket} began while ${other} was running`));
      begun.push({ ticket, session, appended: appends });
      resolve(true);
    }, () => reject(new Error(`${ticket} was lost`)));
    if (patienceMs !== null) setTimeout(() => resolve(false), patienceMs);
  });
  if (await hasBegun) {
    if (runMs > 0) await delay(runMs);
    const turn = { sessionId: session, owner: 'me', userId: 'me', isFirst: false, items: JSON.stringify([ticket]), itemCount: 1, now: 0 };
    if (appends) await machine.sessions.append({ ...turn, ttlMs: 60_000, firstTtlMs: 60_000 }, place);
    running.delete(session);
  }
  place.leave();
}

/** The tickets as Redis takes them into the line of a session, by MONITOR. */
async function enteredOn(raw: Redis): Promise<{ of(session: string): readonly string[]; end(): void }> {
  const lines = new Map<string, string[]>();
  const monitor = await raw.monitor();
  monitor.on('monitor', (_time: string, [command, key = '', ticket = '']: readonly string[]) => {
    if (command?.toUpperCase() !== 'RPUSH' || !key.startsWith('oai:a:line:')) return;
    const session = key.slice('oai:a:line:'.length);
    lines.set(session, [...(lines.get(session) ?? []), ticket]);
  });
  return { of: (session) => lines.get(session) ?? [], end: () => monitor.disconnect() };
}

nothingIsLeft(t);
