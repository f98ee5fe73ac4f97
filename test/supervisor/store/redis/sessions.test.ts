// Sessions in a real Redis: whole turns, in bounds, from whoever's turn it is, and from nobody else, however late.
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { MAX_SESSION_BYTES, MAX_SESSION_ITEMS, type NewTurn } from '../../../../supervisor/store/session.ts';
import type { Place } from '../../../../supervisor/store/order.ts';
import { RedisUnreachable } from '../../../../supervisor/store/redis/unreachable.ts';
import { nothingIsLeft } from '../../../helpers/leftovers.ts';
import { enter, lengthOf, machineOn, observe, type Machine } from '../../../helpers/redis_machine.ts';
import { redisOrSkip } from '../../../helpers/redis_server.ts';
import { waitFor } from '../../../helpers/wait_for.ts';

const DAY_MS = 86_400_000;
const NOTHING = { turnCount: 0, turns: [] };
const OVER = { message: 'the turn of this place in the session is over' };

function turnOf(items: string, fields: Partial<NewTurn> = {}): NewTurn {
  const ttls = { ttlMs: 30 * DAY_MS, firstTtlMs: DAY_MS };
  return { sessionId: 's', owner: 'me', userId: 'ada', isFirst: false, items, itemCount: 1, now: 1000, ...ttls, ...fields };
}

async function withRedis(t: Test) {
  const redis = await redisOrSkip(t);
  if (redis === null) return null;
  return { redis, one: await machineOn(t, redis), two: await machineOn(t, redis), raw: observe(t, redis) };
}

const history = ({ sessions }: Machine, maxItems = 200, session = 's') => patiently(async () => sessions.history(session, maxItems, 0));
const read = ({ sessions }: Machine, session = 's') => patiently(async () => sessions.read(session, 0));
const remove = async ({ sessions }: Machine, place: Place) => sessions.delete('s', place);

/** Appends turns in a line of their own. */
async function append({ order, sessions }: Machine, ...turns: readonly NewTurn[]): Promise<void> {
  for (const turn of turns) {
    const place = await patiently(async () => order.enter(turn.sessionId, turn.owner, false));
    await new Promise<void>((begin, lost) => place.whenTurn(begin, () => lost(new Error('its place is lost'))));
    await patiently(() => sessions.append(turn, place)).finally(() => place.leave());
  }
}

/** Half a second may be too short for megabytes on a machine that is busy with other things. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  const tried = (): Promise<{ answer: T } | null> =>
    ask().then((answer) => ({ answer }), (error: unknown) => {
      if (error instanceof RedisUnreachable) return null;
      throw error;
    });
  return (await waitFor('Redis to answer', tried, 20_000)).answer;
}

t.test('what one machine appends, another reads, as it was', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { one, two } = setting;
  t.strictSame([await history(one), await read(one)], [NOTHING, null]);
  const turns = ['["é 🙂 \\ud83d \\u0000 \u2028"]', '["1 2 3"]', '[]'];
  await append(one, turnOf(turns[0] ?? ''), turnOf(turns[1] ?? '', { now: 2000 }));
  await append(two, turnOf(turns[2] ?? '', { now: 3000, userId: 'bob' }));
  for (const machine of [one, two]) {
    t.strictSame(await history(machine), { turnCount: 3, turns });
    t.strictSame(await read(machine), { owner: 'me', userId: 'ada', createdAt: 1000, updatedAt: 3000, turns });
    t.strictSame([await history(machine, 200, 'another'), await read(machine, 'another')], [NOTHING, null]);
  }
  const strange = { sessionId: 'line:s é 🙂', owner: 'token of 🙂', userId: 'zoë' };
  await append(one, turnOf('["x"]', strange));
  t.match(await read(two, strange.sessionId), { owner: strange.owner, userId: strange.userId, turns: ['["x"]'] });
});

t.test('the newest whole turns of at most so many items are told, oldest first', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { one } = setting;
  await append(one, ...[1, 2, 3, 4].map((n) => turnOf(`[${n}]`, { itemCount: n })));
  const told = async (maxItems: number) => (await history(one, maxItems)).turns.join('');
  const all = [];
  for (const maxItems of [3, 4, 6, 7, 9, 10]) all.push(await told(maxItems));
  t.strictSame(all, ['', '[4]', '[4]', '[3][4]', '[2][3][4]', '[1][2][3][4]']);
  t.equal((await history(one, 0)).turnCount, 4);
});

t.test('only whoever is first in line appends or deletes, and only until it has left', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { one, two, raw } = setting;
  const told: string[] = [];
  const first = await enter(one, 's', 'a', told);
  const second = await enter(two, 's', 'b', told);
  await t.rejects(two.sessions.append(turnOf('["b"]'), second), OVER);
  await t.rejects(remove(two, second), OVER);
  await one.sessions.append(turnOf('["a"]'), first);
  first.leave();
  await waitFor('the next', () => told.includes('b'));
  await t.rejects(one.sessions.append(turnOf('["a again"]'), { ...first, ticket: `${first.ticket}0` }), OVER);
  await t.rejects(remove(one, first), OVER);
  await two.sessions.append(turnOf('["b"]'), second);
  await t.rejects(one.sessions.append(turnOf('["a again"]'), first), OVER);
  second.leave();
  await waitFor('an empty line', async () => (await lengthOf(raw, 's')) === 0);
  await t.rejects(two.sessions.append(turnOf('["c"]'), { ...second, ticket: 'x 1' }), OVER);
  t.strictSame(await history(two), { turnCount: 2, turns: ['["a"]', '["b"]'] });
});

t.test('a turn whose appending was not answered is offered again, and there once', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  let unheard = 0;
  const machine = await machineOn(t, redis, (link) => ({
    async ask(question) {
      const answer = await link.ask(question);
      if (answer === 'stored' && unheard++ < 3) throw new RedisUnreachable('the answer was lost');
      return answer;
    },
  }));
  await append(machine, turnOf('["a"]'));
  t.equal(unheard, 4);
  t.strictSame(await history(machine), { turnCount: 1, turns: ['["a"]'] });
});

t.test('a turn is offered to a Redis that is away for about a second, and is not appended when nobody waits for it any more', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { redis, one, raw } = setting;
  const place = await enter(one, 's', 'a', []);
  redis.freeze();
  const offered = performance.now();
  await t.rejects(one.sessions.append(turnOf('["late"]'), place), { name: 'RedisUnreachable' });
  const offeredMs = performance.now() - offered;
  t.ok(offeredMs >= 900 && offeredMs < 4000, `for ${offeredMs} ms`);
  redis.resume();
  await waitFor('Redis', () => one.link.isUp);
  await delay(200);
  t.strictSame([await history(one), await raw.exists('oai:a:turns:s')], [NOTHING, 0]);
  await one.sessions.append(turnOf('["in time"]'), place);
  t.strictSame(await history(one), { turnCount: 1, turns: ['["in time"]'] });
  place.leave();
  const next = await enter(one, 's', 'b', []);
  redis.freeze();
  const appended = one.sessions.append(turnOf('["b"]'), next);
  await delay(200);
  redis.resume();
  await appended;
  t.equal((await history(one)).turnCount, 2, 'a short pause is waited for');
});

t.test('beyond 2,000 items the oldest whole turns are dropped', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { one, raw } = setting;
  const turn = (n: number, itemCount: number) => turnOf(`[${n}]`, { itemCount });
  await append(one, turn(1, 500), turn(2, 500), turn(3, 1000));
  t.strictSame((await read(one))?.turns, ['[1]', '[2]', '[3]']);
  await append(one, turn(4, 1));
  t.strictSame(await history(one, MAX_SESSION_ITEMS), { turnCount: 4, turns: ['[2]', '[3]', '[4]'] });
  await append(one, turn(5, 500));
  t.strictSame((await read(one))?.turns, ['[3]', '[4]', '[5]']);
  t.match(await raw.hgetall('oai:a:session:s'), { items: '1501', bytes: '9' });
  await append(one, turn(6, MAX_SESSION_ITEMS));
  t.strictSame((await read(one))?.turns, ['[6]']);
  await t.rejects(append(one, turn(7, MAX_SESSION_ITEMS + 1)), { message: /more than a session may hold/ });
});

t.test('so are those beyond 8 MiB, as they are counted in UTF-8', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { one, two, raw } = setting;
  const ofBytes = (bytes: number) => `["${'é'.repeat(bytes / 2 - 2)}"]`;
  const half = ofBytes(MAX_SESSION_BYTES / 2);
  await append(one, turnOf('[1]'), turnOf(half), turnOf(ofBytes(MAX_SESSION_BYTES / 2 - 4)));
  t.equal((await read(one))?.turns.length, 3);
  await append(one, turnOf('[22]'));
  t.strictSame((await read(two))?.turns.map(({ length }) => length), [half.length, half.length - 2, 4]);
  t.equal(await raw.hget('oai:a:session:s', 'bytes'), String(MAX_SESSION_BYTES));
  const whole = ofBytes(MAX_SESSION_BYTES);
  await append(one, turnOf(whole));
  t.ok((await history(two)).turns[0] === whole);
  await t.rejects(append(one, turnOf(`${whole} `)), { message: /more than a session may hold/ });
});

t.test('a session is kept for so long after its last turn, one of a single turn as its interaction says', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { one, two, raw } = setting;
  const ttls = async () => Promise.all([raw.pttl('oai:a:session:s'), raw.pttl('oai:a:turns:s')]);
  await append(one, turnOf('["a"]'));
  for (const ttl of await ttls()) t.ok(ttl > DAY_MS - 60_000 && ttl <= DAY_MS);
  await append(two, turnOf('["b"]'));
  for (const ttl of await ttls()) t.ok(ttl > 30 * DAY_MS - 60_000 && ttl <= 30 * DAY_MS);
  await append(one, turnOf('["c"]', { ttlMs: 300 }));
  await waitFor('its end', async () => (await read(one)) === null);
  t.strictSame([await history(one), await raw.keys('*:s')], [NOTHING, []]);
  await append(one, turnOf('["d"]', { owner: 'somebody' }));
  t.match(await read(one), { owner: 'somebody', turns: ['["d"]'] });
});

t.test('a session that is deleted is gone, and begins anew', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { one, two, raw } = setting;
  await append(one, turnOf('["a"]'), turnOf('["b"]'));
  const place = await enter(two, 's', 'a', []);
  t.strictSame([await remove(two, place), await remove(two, place)], [true, false]);
  place.leave();
  t.strictSame([await read(one), await history(one)], [null, NOTHING]);
  await waitFor('an empty line', async () => (await lengthOf(raw, 's')) === 0);
  t.strictSame(await raw.keys('*:s'), []);
  await append(one, turnOf('["c"]'));
  t.match(await read(one), { turns: ['["c"]'] });
});

t.test('a Redis whose memory is full takes no turn, nor half of one, and goes on to delete and be read', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { one, two, raw } = setting;
  await append(one, turnOf('["a"]'));
  const before = [await raw.hgetall('oai:a:session:s'), await raw.lrange('oai:a:turns:s', 0, -1)];
  const [old, fresh] = [await enter(one, 's', 'a', []), await enter(two, 'new', 'b', [])];
  await raw.config('SET', 'maxmemory', '1');
  const asked = performance.now();
  await t.rejects(one.sessions.append(turnOf('["b"]'), old), { message: /^OOM/ });
  await t.rejects(two.sessions.append(turnOf('["b"]', { sessionId: 'new' }), fresh), { message: /^OOM/ });
  t.ok(performance.now() - asked < 900, 'it is not asked again');
  t.strictSame([await raw.hgetall('oai:a:session:s'), await raw.lrange('oai:a:turns:s', 0, -1)], before);
  t.strictSame((await raw.keys('*:new')).toSorted(), ['oai:a:line-owner:new', 'oai:a:line:new']);
  t.strictSame((await history(two)).turns, ['["a"]']);
  t.equal(await remove(one, old), true);
});

t.test('what a Redis that evicts keys has left of a session is told to nobody else, and counts for nothing', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { one, raw } = setting;
  await append(one, turnOf('["mine"]', { itemCount: MAX_SESSION_ITEMS }));
  await raw.del('oai:a:turns:s');
  await append(one, turnOf('["mine still"]'));
  t.strictSame(await history(one), { turnCount: 2, turns: ['["mine still"]'] });
  t.match(await raw.hgetall('oai:a:session:s'), { items: '1', bytes: '14' });
  await raw.del('oai:a:session:s');
  t.strictSame([await history(one), await read(one)], [NOTHING, null]);
  await append(one, turnOf('["theirs"]', { owner: 'somebody' }));
  t.strictSame(await history(one), { turnCount: 1, turns: ['["theirs"]'] });
  t.match(await read(one), { owner: 'somebody', turns: ['["theirs"]'] });
});

nothingIsLeft(t);
