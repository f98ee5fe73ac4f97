// The order within sessions when a machine or Redis is away: nobody is in the way who is gone, and nobody loses a turn who is there.
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { RedisUnreachable } from '../../../../supervisor/store/redis/unreachable.ts';
import { nothingIsLeft } from '../../../helpers/leftovers.ts';
import { enter, lengthOf, machineOn, observe, type Machine } from '../../../helpers/redis_machine.ts';
import { redisOrSkip } from '../../../helpers/redis_server.ts';
import { waitFor } from '../../../helpers/wait_for.ts';

/** How long a machine without a lease is only suspected, and a lease lasts. */
const SUSPECTED_MS = 2000;
const LEASE_MS = 8000;
const FULL = ['--maxmemory', '1', '--maxmemory-policy', 'noeviction'] as const;

const leaseOf = ({ link }: Machine): string => link.key(`server:${link.server}`);
const suspicionOf = ({ link }: Machine): string => link.key(`suspect:${link.server}`);


async function withRedis(t: Test) {
  const redis = await redisOrSkip(t);
  if (redis === null) return null;
  return { redis, one: await machineOn(t, redis), two: await machineOn(t, redis), raw: observe(t, redis), told: [] as string[] };
}

t.test('while a machine or Redis is away', async (t) => {
  // They wait more than they do, so they do it side by side.
  t.jobs = 4;
  void t.test('the place of a machine that is gone passes to the next, once it has been suspected for a while', { buffered: true }, async (t) => {
    const setting = await withRedis(t);
    if (setting === null) return;
    const { redis, one, two, raw, told } = setting;
    const gone = await machineOn(t, redis);
    await enter(gone, 's', 'a', told);
    await enter(one, 's', 'b', told);
    await enter(gone, 's', 'c', told);
    const last = await enter(two, 's', 'd', told);
    // It takes its lease along, but leaves no place.
    await gone.link.close();
    const closed = performance.now();
    const suspectedAt = Number(await waitFor('the suspicion', () => raw.get(suspicionOf(gone))));
    await waitFor('the next', () => told.includes('b'));
    const waitedMs = performance.now() - closed;
    const [seconds, micros] = await raw.time();
    const suspectedMs = Number(seconds) * 1000 + Number(micros) / 1000 - suspectedAt;
    t.ok(suspectedMs >= SUSPECTED_MS, `after ${suspectedMs} ms under suspicion`);
    t.ok(waitedMs < 5 * SUSPECTED_MS, `after ${waitedMs} ms`);
    t.comment(`its turn came ${Math.round(waitedMs)} ms after the lease had ended`);
    t.strictSame(told, ['a', 'b']);
    last.leave();
    await waitFor('two to be in the line', async () => (await lengthOf(raw, 's')) === 2);
  });

  void t.test('whoever comes later finds the place of a machine that is gone in its way, and takes it away', { buffered: true }, async (t) => {
    const setting = await withRedis(t);
    if (setting === null) return;
    const { redis, one, two, raw, told } = setting;
    const gone = await machineOn(t, redis);
    await enter(gone, 's', 'a', told);
    await gone.link.close();
    const b = await enter(one, 's', 'b', told);
    t.ok(b.mustWait);
    await waitFor('its turn', () => told.includes('b'));
    b.leave();
    await waitFor('an empty line', async () => (await lengthOf(raw, 's')) === 0);
    t.notOk((await enter(two, 's', 'c', told)).mustWait);
  });

  void t.test('a machine whose lease is back in time keeps its place', { buffered: true }, async (t) => {
    const setting = await withRedis(t);
    if (setting === null) return;
    const { redis, one, two, raw, told } = setting;
    const passing = await machineOn(t, redis);
    const first = await enter(one, 's', 'a', told);
    await enter(two, 's', 'b', told);
    await waitFor('the suspicion', async () => {
      await raw.del(leaseOf(one));
      // Which looks at who is in front.
      (await enter(passing, 's', 'c', told)).leave();
      return (await raw.exists(suspicionOf(one))) === 1;
    });
    await waitFor('the lease', async () => (await raw.exists(leaseOf(one))) === 1);
    await delay(SUSPECTED_MS + 2000);
    t.strictSame(told, ['a']);
    t.equal(await raw.lindex('oai:a:line:s', 0), first.ticket);
    first.leave();
    await waitFor('the next', () => told.includes('b'));
  });

  void t.test('nobody loses a turn or a place to a Redis that was frozen for longer than a lease lasts', { buffered: true }, async (t) => {
    const setting = await withRedis(t);
    if (setting === null) return;
    const { redis, one, two, raw, told } = setting;
    const first = await enter(one, 's', 'a', told);
    const second = await enter(two, 's', 'b', told);
    await enter(one, 's', 'c', told);
    redis.freeze();
    await delay(LEASE_MS + 1000);
    redis.resume();
    await waitFor('both machines', () => one.link.isUp && two.link.isUp);
    await delay(SUSPECTED_MS + 2000);
    t.strictSame(told, ['a']);
    t.equal(await raw.lindex('oai:a:line:s', 0), first.ticket);
    first.leave();
    await waitFor('the next', () => told.includes('b'));
    second.leave();
    await waitFor('the last', () => told.includes('c'));
  });

  void t.test('who leaves while Redis is frozen, has left when it is back, and the next begins', { buffered: true }, async (t) => {
    const setting = await withRedis(t);
    if (setting === null) return;
    const { redis, one, two, raw, told } = setting;
    const first = await enter(one, 's', 'a', told);
    await enter(two, 's', 'b', told);
    const third = await enter(one, 's', 'c', told);
    redis.freeze();
    await waitFor('them to know', () => !one.link.isUp && !two.link.isUp);
    // A frozen Redis must not even find a question of its leaving when it goes on.
    third.leave();
    first.leave();
    t.strictSame(told, ['a']);
    redis.resume();
    await waitFor('the next', () => told.includes('b'));
    await waitFor('the last to have left', async () => (await lengthOf(raw, 's')) === 1);
    t.strictSame(told, ['a', 'b']);
  });

  void t.test('a place whose entering was not answered is left', { buffered: true }, async (t) => {
    const redis = await redisOrSkip(t);
    if (redis === null) return;
    let answers = false;
    const unheard = await machineOn(t, redis, (link) => ({
      async ask(question) {
        const answer = await link.ask(question);
        if (!answers) throw new RedisUnreachable('the answer was lost');
        return answer;
      },
    }));
    const raw = observe(t, redis);
    await t.rejects(unheard.order.enter('s', 'me', false) as Promise<unknown>, { name: 'RedisUnreachable' });
    t.equal(await lengthOf(raw, 's'), 1);
    answers = true;
    await waitFor('it to have left', async () => (await lengthOf(raw, 's')) === 0);
  });

  void t.test('what comes to Redis too late enters no line, and what is not even asked is not left', { buffered: true }, async (t) => {
    const setting = await withRedis(t);
    if (setting === null) return;
    const { redis, one, raw, told } = setting;
    const leaves = async (): Promise<number> => Number(/cmdstat_lrem:calls=(\d+)/.exec(await raw.info('commandstats'))?.[1] ?? 0);
    redis.freeze();
    await t.rejects(enter(one, 's', 'late', told), { name: 'RedisUnreachable' });
    t.equal(one.link.isUp, false);
    const refused = await Promise.allSettled(Array.from({ length: 100 }, (_none, i) => enter(one, `${i}`, 'refused', told)));
    t.ok(refused.every(({ status }) => status === 'rejected'));
    redis.resume();
    await waitFor('Redis', () => one.link.isUp);
    t.strictSame(await raw.keys('*line*'), []);
    await waitFor('what may have been entered to be left', async () => (await leaves()) > 0);
    t.equal(await leaves(), 1);
    t.strictSame(told, []);
  });

  void t.test('a Redis whose memory is full takes nobody into a line, and lets everybody out of it', { buffered: true }, async (t) => {
    const setting = await withRedis(t);
    if (setting === null) return;
    const { redis, one, two, raw, told } = setting;
    const gone = await machineOn(t, redis);
    const first = await enter(one, 's', 'a', told);
    await enter(two, 's', 'b', told);
    await enter(gone, 'other', 'x', told);
    await enter(one, 'other', 'y', told);
    for (let i = 0; i < FULL.length; i += 2) await raw.config('SET', FULL[i]?.slice(2) ?? '', FULL[i + 1] ?? '');
    for (const session of ['s', 'new']) await t.rejects(enter(one, session, 'refused', told), { message: /^OOM/ });
    t.strictSame([await lengthOf(raw, 's'), await lengthOf(raw, 'new')], [2, 0]);
    first.leave();
    await waitFor('the next', () => told.includes('b'));
    await gone.link.close();
    await delay(2 * SUSPECTED_MS);
    t.ok(one.link.isUp, 'that nobody can be suspected now is no reason to take Redis for away');
    await raw.config('SET', 'maxmemory', '0');
    await waitFor('the machine that is gone to be noticed', () => told.includes('y'));
    t.strictSame(told, ['a', 'x', 'b', 'y']);
  });
});

nothingIsLeft(t);
