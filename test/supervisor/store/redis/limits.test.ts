// The limits in a real Redis: one count for all servers, right whatever happens to any of them, and refused where it cannot be told.
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { Secret } from '../../../../shared/secret.ts';
import type { LimitStore, RateState } from '../../../../supervisor/store/limits.ts';
import { redisLimits } from '../../../../supervisor/store/redis/limits.ts';
import { RedisLink } from '../../../../supervisor/store/redis/link.ts';
import { nothingIsLeft } from '../../../helpers/leftovers.ts';
import { redisOrSkip, type RedisServer } from '../../../helpers/redis_server.ts';
import { waitFor } from '../../../helpers/wait_for.ts';

const log = pino({ level: 'silent' });
const MINUTE = { count: 3, windowMs: 60_000 };

interface Server {
  readonly link: RedisLink;
  readonly store: LimitStore;
}

async function serverOf(t: Test, { url }: RedisServer): Promise<Server> {
  const link = new RedisLink({ url: new Secret(url), shown: 'redis' }, 'a', log);
  t.teardown(() => link.close());
  const store = redisLimits(link);
  if (!(await link.open())) await waitFor('Redis', () => link.isUp);
  return { link, store };
}

function observer(t: Test, { url }: RedisServer): Redis {
  const redis = new Redis(url);
  redis.on('error', () => undefined);
  t.teardown(() => redis.disconnect());
  return redis;
}

/** The same link, but for what is given. */
function changed(link: RedisLink, changes: Partial<RedisLink>): RedisLink {
  const { server, address, isUp, deadline } = link;
  const same: Partial<RedisLink> = { server, address, isUp, deadline, key: (name) => link.key(name), ask: (question) => link.ask(question) };
  return { ...same, onBeat: () => undefined, ...changes } as RedisLink;
}

const take = async ({ store }: Server, key: string, limit = MINUTE): Promise<RateState> => store.take(key, limit);
const begin = async ({ store }: Server, key: string, most: number): Promise<boolean> => store.begin(key, most);

t.test('what is told at each request', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const [one, two] = [await serverOf(t, redis), await serverOf(t, redis)];
  const states = [await take(one, 'k'), await take(two, 'k'), await take(one, 'k'), await take(two, 'k')];
  t.strictSame(states.map(({ taken, remaining }) => [taken, remaining]), [[true, 2], [true, 1], [true, 0], [false, 0]], 'one count for both');
  const [first, , last, refused] = states as [RateState, RateState, RateState, RateState];
  t.match(first, { retryAfterMs: 0, resetMs: 60_000 });
  for (const { retryAfterMs, resetMs } of [last, refused]) t.ok(retryAfterMs > 20_000 && retryAfterMs <= resetMs && resetMs <= 60_000);
  t.match(await take(one, 'another'), { taken: true, remaining: 2 });
  const raw = observer(t, redis);
  const ttl = await raw.pttl('oai:a:limit:k');
  t.ok(ttl > 20_000 && ttl <= 60_000, 'it is forgotten when nothing of it counts any more');
  t.strictSame((await raw.keys('*limit*')).toSorted(), ['oai:a:limit:another', 'oai:a:limit:k']);
});

t.test('no window has more than the limit, on two servers that ask at once, and nothing is refused without cause', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const servers = [await serverOf(t, redis), await serverOf(t, redis)];
  let runs = 0;
  const bursts = fc.array(fc.record({ pauseMs: fc.constantFrom(0, 0, 1, 2, 5, 20, 60, 70), requests: fc.integer({ min: 1, max: 40 }) }), {
    minLength: 1,
    maxLength: 8,
  });
  const property = fc.asyncProperty(bursts, fc.constantFrom(1, 2, 5, 20, 64, 65, 90), async (each, count) => {
    const windowMs = 64;
    const key = `run ${(runs += 1)}`;
    /** Each was counted at some time between the two. */
    const asked: { from: number; to: number; taken: boolean }[] = [];
    const ask = async (server: Server): Promise<void> => {
      const from = performance.now();
      const { taken } = await take(server, key, { count, windowMs });
      asked.push({ from, to: performance.now(), taken });
    };
    for (const { pauseMs, requests } of each) {
      if (pauseMs > 0) await delay(pauseMs);
      await Promise.all(Array.from({ length: requests }, (_none, i) => ask(servers[i % 2] as Server)));
    }
    const taken = asked.filter((request) => request.taken);
    // The clock of Redis has whole µs, and may be slewed against ours.
    const toleranceMs = 0.1;
    for (const { from, taken: wasTaken } of asked) {
      const since = taken.filter((other) => other.to > from - windowMs - windowMs / 64 - toleranceMs).length;
      if (!wasTaken && since < count) throw new Error(`refused after ${since} of ${count}`);
    }
    for (const { from } of taken) {
      const inWindow = taken.filter((other) => other.from >= from && other.to < from + windowMs - toleranceMs).length;
      if (inWindow > count) throw new Error(`${inWindow} of ${count} in one window`);
    }
  });
  await fc.assert(property, { seed: 20_260_104, numRuns: 60, endOnFailure: true });
});

t.test('a key takes 65 entries at most, however much it counts', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const server = await serverOf(t, redis);
  const limit = { count: 1_000_000, windowMs: 640 };
  const until = performance.now() + 1300;
  let last: RateState | undefined;
  while (performance.now() < until) {
    last = await take(server, 'k', limit);
    await nextTurn();
  }
  const entries = ((await observer(t, redis).get('oai:a:limit:k')) ?? '').split(',');
  t.ok(entries.length <= 65, `${entries.length} entries`);
  t.equal(1_000_000 - entries.reduce((sum, entry) => sum + Number(entry.split(' ')[2]), 0), last?.remaining, 'which have all that is counted');
});

t.test('what comes together is one entry of a limit that is large, and counts from the last of it', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const server = await serverOf(t, redis);
  const raw = observer(t, redis);
  const windowMs = 6_400_000;
  const entries = async (key: string): Promise<number[][]> =>
    ((await raw.get(`oai:a:limit:${key}`)) ?? '').split(',').map((entry) => entry.split(' ').map(Number));
  for (const [key, count, expected] of [['small', 64, [1, 1, 1]], ['large', 65, [3]]] as const) {
    for (let i = 0; i < 3; i += 1) t.ok((await take(server, key, { count, windowMs })).taken);
    const found = await entries(key);
    t.strictSame(found.map(([, , counted]) => counted), expected);
    for (const [first = 0, last = 0, counted] of found) t.ok(counted === 1 ? last === first : last > first);
  }
  const agoUs = (ms: number): string => String((Date.now() - ms) * 1000);
  const edges = [
    `${agoUs(windowMs + 90_000)} ${agoUs(windowMs + 10_000)} 7`, `${agoUs(windowMs + 30_000)} ${agoUs(windowMs - 60_000)} 64`,
    `${agoUs(101_000)} ${agoUs(50_000)} 1`,
  ];
  await raw.set('oai:a:limit:large', edges.join(','));
  const { taken, remaining, retryAfterMs } = await take(server, 'large', { count: 66, windowMs });
  t.strictSame([taken, remaining], [true, 0], 'the first entry has expired, the second has not');
  t.ok(retryAfterMs > 30_000 && retryAfterMs <= 60_000, 'it does when its last does');
  t.strictSame((await entries('large')).map(([, , counted]) => counted), [64, 1, 1], 'the third is too old to be added to');
});

t.test('a clock that is set back stops nobody for longer than a window', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const server = await serverOf(t, redis);
  const hourAhead = (Date.now() + 3_600_000) * 1000;
  await observer(t, redis).set('oai:a:limit:k', `${hourAhead} ${hourAhead} 3`);
  const limit = { count: 3, windowMs: 300 };
  const { taken, retryAfterMs, resetMs } = await take(server, 'k', limit);
  t.strictSame({ taken, retryAfterMs, resetMs }, { taken: false, retryAfterMs: 300, resetMs: 300 });
  await waitFor('the next to be taken', async () => (await take(server, 'k', limit)).taken);
});

t.test('so many go on at once, on all servers together', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const [one, two] = [await serverOf(t, redis), await serverOf(t, redis)];
  const raw = observer(t, redis);
  t.strictSame([await begin(one, 'k', 2), await begin(two, 'k', 2), await begin(one, 'k', 2), await begin(two, 'k', 2)], [true, true, false, false]);
  t.ok(await begin(two, 'another', 2));
  one.store.end('k');
  await waitFor('the other server to be let in', () => begin(two, 'k', 2));
  t.strictSame(await raw.hgetall('oai:a:running:k'), { [two.link.server]: '2' });
  t.ok((await raw.pttl('oai:a:running:k')) > 20_000);
  for (const key of ['k', 'k', 'another', 'never begun']) two.store.end(key);
  await waitFor('nothing to be left', async () => (await raw.keys('*running*')).length === 0);
});

t.test('of many that ask at once exactly so many are let in, and each that ends makes room for one', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const servers = [await serverOf(t, redis), await serverOf(t, redis)];
  const [most, all] = [7, 400];
  let running = 0;
  let [highest, done, refused] = [0, 0, 0];
  await Promise.all(
    Array.from({ length: all }, async (_none, i) => {
      const server = servers[i % 2] as Server;
      while (!(await begin(server, 'k', most))) {
        refused += 1;
        await delay(1 + (i % 7));
      }
      running += 1;
      highest = Math.max(highest, running);
      await delay(i % 3);
      running -= 1;
      server.store.end('k');
      done += 1;
    }),
  );
  t.strictSame([highest, done], [most, all]);
  t.ok(refused > 0);
  await waitFor('nothing to be left', async () => (await observer(t, redis).exists('oai:a:running:k')) === 0);
});

t.test('what a server that is gone had running counts no more', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const [one, two] = [await serverOf(t, redis), await serverOf(t, redis)];
  for (let i = 0; i < 3; i += 1) t.ok(await begin(one, 'k', 3));
  t.notOk(await begin(two, 'k', 3));
  const raw = observer(t, redis);
  t.ok(await raw.exists(`oai:a:server:${one.link.server}`), 'it has a lease');
  await one.link.close();
  t.ok(await begin(two, 'k', 3));
  t.strictSame(await raw.hgetall('oai:a:running:k'), { [two.link.server]: '1' });
});

t.test('a look tells whether there is room on all servers together, those that are gone left out, and takes none', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const [one, two] = [await serverOf(t, redis), await serverOf(t, redis)];
  const looks = () => Promise.all([one, two].map(({ store }) => store.isFull('k', 2)));
  t.ok(await begin(one, 'k', 2));
  for (let i = 0; i < 3; i += 1) t.strictSame(await looks(), [false, false]);
  t.ok(await begin(two, 'k', 2));
  t.strictSame(await looks(), [true, true]);
  await observer(t, redis).hset('oai:a:running:k', 'a server without a lease', 5);
  one.store.end('k');
  t.equal(await one.store.isFull('k', 2), false, 'what has ended here counts no more, whether Redis knows it or not');
});

t.test('a Redis that is away lets nobody in, and learns afterwards what has ended, and what goes on', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const [one, two] = [await serverOf(t, redis), await serverOf(t, redis)];
  for (const key of ['k', 'k', 'ended']) t.ok(await begin(one, key, 2));
  await redis.kill();
  const away = { name: 'RedisUnreachable' };
  await t.rejects(begin(one, 'k', 3), away);
  await t.rejects(take(one, 'k'), away);
  for (const key of ['k', 'ended']) one.store.end(key);
  await redis.start();
  const raw = observer(t, redis);
  await waitFor('what goes on to be written', async () => (await raw.hget('oai:a:running:k', one.link.server)) === '1');
  await waitFor('both to be back', () => one.link.isUp && two.link.isUp);
  t.notOk(await raw.exists('oai:a:running:ended'));
  t.strictSame([await begin(two, 'k', 2), await begin(two, 'k', 2)], [true, false]);
});

t.test('what a frozen Redis does too late it does not do', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const [one, two] = [await serverOf(t, redis), await serverOf(t, redis)];
  const raw = observer(t, redis);
  await take(one, 'k');
  t.ok(await begin(one, 'k', 2));
  redis.freeze();
  const asked: Promise<unknown>[] = [take(one, 'k'), take(one, 'k'), begin(one, 'k', 2)];
  for (const each of asked) await t.rejects(each, { name: 'RedisUnreachable' });
  one.store.end('k');
  // Redis's clock is known to a fraction of a millisecond only.
  await delay(50);
  redis.resume();
  await waitFor('both to be back', () => one.link.isUp && two.link.isUp);
  await waitFor('the end to be told', async () => (await raw.exists('oai:a:running:k')) === 0);
  t.match(await take(two, 'k'), { taken: true, remaining: 1 }, 'one had been counted before');
  t.strictSame([await begin(two, 'k', 2), await begin(two, 'k', 2), await begin(one, 'k', 2)], [true, true, false]);
});

t.test('a question that reaches Redis after its deadline is refused', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const { link } = await serverOf(t, redis);
  const store = redisLimits(changed(link, { deadline: link.deadline - 60_000 }));
  const refused = { name: 'RedisUnreachable', message: 'the question reached Redis too late' };
  await t.rejects(async () => store.take('k', MINUTE), refused);
  await t.rejects(async () => store.begin('k', 3), refused);
  t.strictSame(await observer(t, redis).keys('*:k'), []);
});

t.test('what Redis has lost, or would forget, is written anew after a while', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const { link } = await serverOf(t, redis);
  let beat = async (_isFirst: boolean): Promise<void> => undefined;
  const store = redisLimits(changed(link, { deadline: link.deadline + 60_000, onBeat: (each) => void (beat = each) }));
  const raw = observer(t, redis);
  t.ok(await store.begin('k', 2));
  await raw.flushall();
  await beat(false);
  t.strictSame(await raw.hgetall('oai:a:running:k'), {}, 'not with every beat');
  const { now } = performance;
  t.teardown(() => void (performance.now = now));
  performance.now = () => now.call(performance) + 21_000;
  await beat(false);
  t.strictSame(await raw.hgetall('oai:a:running:k'), { [link.server]: '1' });
  await raw.flushall();
  await beat(true);
  t.strictSame(await raw.hgetall('oai:a:running:k'), { [link.server]: '1' }, 'at once where Redis has been away');
});

t.test('what others took away, as this server counted as gone, is back with its next beat', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const [one, two] = [await serverOf(t, redis), await serverOf(t, redis)];
  t.strictSame([await begin(one, 'k', 2), await begin(one, 'k', 2), await begin(two, 'k', 2)], [true, true, false]);
  const raw = observer(t, redis);
  await raw.multi().del(`oai:a:server:${one.link.server}`).hdel('oai:a:running:k', one.link.server).exec();
  // Sooner than it is written anew by itself.
  await waitFor('its count', async () => (await raw.hget('oai:a:running:k', one.link.server)) === '2', 5000);
  t.equal(await begin(two, 'k', 2), false);
});

t.test('a Redis whose memory is full lets nobody in', async (t) => {
  const redis = await redisOrSkip(t, { args: ['--maxmemory-policy', 'noeviction'] });
  if (redis === null) return;
  const server = await serverOf(t, redis);
  t.ok(await begin(server, 'k', 3));
  await observer(t, redis).config('SET', 'maxmemory', '1');
  await t.rejects(take(server, 'k'), /OOM/);
  await t.rejects(begin(server, 'k', 3), /OOM/);
  server.store.end('k');
  await waitFor('the end to be told all the same', async () => (await observer(t, redis).exists('oai:a:running:k')) === 0);
});

nothingIsLeft(t);
