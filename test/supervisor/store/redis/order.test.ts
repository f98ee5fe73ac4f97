// The order within sessions that machines share: one line each, whoever enters wherever.
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { nothingIsLeft } from '../../../helpers/leftovers.ts';
import { enter, lengthOf, machineOn, observe } from '../../../helpers/redis_machine.ts';
import { redisOrSkip } from '../../../helpers/redis_server.ts';
import { waitFor } from '../../../helpers/wait_for.ts';

async function withRedis(t: Test) {
  const redis = await redisOrSkip(t);
  if (redis === null) return null;
  return { one: await machineOn(t, redis), two: await machineOn(t, redis), raw: observe(t, redis), told: [] as string[] };
}

t.test('the first begins at once, the next when it has left, in the order in which they came to Redis, on whatever machine', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { one, two, raw, told } = setting;
  const places = [
    await enter(one, 's', 'a', told),
    await enter(two, 's', 'b', told),
    await enter(one, 's', 'c', told),
    await enter(two, 's', 'd', told),
  ] as const;
  t.strictSame(told, ['a']);
  t.strictSame(places.map(({ mustWait }) => mustWait), [false, true, true, true]);
  t.equal(new Set(places.map(({ ticket }) => ticket)).size, 4);
  await enter(two, 'another', 'x', told);
  t.strictSame(told, ['a', 'x'], 'a session does not wait for another');
  for (const [i, names] of ['axb', 'axbc', 'axbcd'].entries()) {
    places[i]?.leave();
    places[i]?.leave();
    await waitFor(`${names.at(-1)} to begin`, () => told.length === names.length);
    t.equal(told.join(''), names);
  }
  places[3].leave();
  await waitFor('the line to be gone', async () => (await lengthOf(raw, 's')) === 0);
  t.strictSame(await raw.keys('*line*:s'), []);
  t.equal((await enter(one, 's', 'e', told)).mustWait, false);
});

t.test('a Redis that has forgotten all scripts, as one that was started anew, keeps the order all the same', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { one, raw } = setting;
  for (let burst = 0; burst < 100; burst += 1) {
    await raw.script('FLUSH');
    const told: string[] = [];
    const entering: Promise<unknown>[] = [];
    for (let i = 0; i < 12; i += 1) {
      entering.push(enter(one, `s${burst}`, `${i}`, told));
      if (i % 3 === 0) await nextTurn();
    }
    const tickets = (await Promise.all(entering)).map((place) => (place as { readonly ticket: string }).ticket);
    if ((await raw.lrange(`oai:a:line:s${burst}`, 0, -1)).join() !== tickets.join()) return t.fail(`burst ${burst} was out of order`);
  }
});

t.test('who asks for its turn when that has come, is told at once', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { one, two } = setting;
  const first = await one.order.enter('s', 'me', false);
  const second = await two.order.enter('s', 'me', false);
  t.ok(second.mustWait);
  first.leave();
  let begun = false;
  await delay(200);
  second.whenTurn(() => {
    begun = true;
  }, () => t.fail('it is lost'));
  t.ok(begun);
});

t.test('who waits can leave, and never begins then', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { one, two, raw, told } = setting;
  const [a, b, c] = [await enter(one, 's', 'a', told), await enter(two, 's', 'b', told), await enter(one, 's', 'c', told)] as const;
  b.leave();
  await waitFor('it to have left', async () => (await lengthOf(raw, 's')) === 2);
  t.strictSame(told, ['a']);
  a.leave();
  await waitFor('the next', () => told.length === 2);
  t.strictSame(told, ['a', 'c']);
  c.leave();
  await waitFor('the end', async () => (await lengthOf(raw, 's')) === 0);
});

t.test('a session belongs to whoever it is stored for, or began it, on every machine', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { one, two, raw, told } = setting;
  await raw.hset('oai:a:session:stored', 'owner', 'somebody');
  await enter(one, 's', 'mine', told);
  for (const machine of [one, two]) {
    await t.rejects(machine.order.enter('stored', 'me', false) as Promise<unknown>, { code: 'SESSION_TAKEN' });
    await t.rejects(machine.order.enter('s', 'somebody', false) as Promise<unknown>, { code: 'SESSION_TAKEN' });
  }
  await enter(two, 'stored', 'theirs', told, 'somebody');
  t.strictSame(told, ['mine', 'theirs']);
  t.strictSame([await lengthOf(raw, 's'), await lengthOf(raw, 'stored')], [1, 1], 'nobody waits who was refused');
});

t.test('at most 128 wait for a session, on all machines together', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { one, two, told } = setting;
  const entered = Array.from({ length: 129 }, (_none, i) => enter(i % 2 === 0 ? one : two, 's', `${i}`, told));
  const places = await Promise.all(entered);
  for (const machine of [one, two]) await t.rejects(machine.order.enter('s', 'me', false) as Promise<unknown>, { code: 'SESSION_BUSY' });
  await enter(two, 'another', 'x', told);
  places[7]?.leave();
  await waitFor('one more to be taken', () => enter(one, 's', 'y', told).then(() => true, () => false));
});

t.test('who waits is told when Redis has lost its place; who runs is not', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { one, two, raw, told } = setting;
  for (const [machine, name] of [[one, 'a'], [two, 'b'], [one, 'c']] as const) await enter(machine, 's', name, told);
  await raw.flushall();
  await waitFor('the news', () => told.length === 3);
  t.strictSame(told.toSorted(), ['a', 'b is lost', 'c is lost']);
  await enter(two, 's', 'd', told);
  t.equal(told.at(-1), 'd');
});

t.test('a turn begins within seconds though the notice of it is lost', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const deaf = await machineOn(t, redis, () => ({ onMessage: () => undefined }));
  const told: string[] = [];
  const first = await enter(deaf, 's', 'a', told);
  await enter(deaf, 's', 'b', told);
  first.leave();
  await waitFor('the next', () => told.includes('b'), 5000);
});

t.test('a turn that comes before the answer to the question for a place is not missed', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const isAnswered = Promise.withResolvers<void>();
  const one = await machineOn(t, redis);
  const slow = await machineOn(t, redis, (link) => ({
    onBeat: () => undefined,
    ask: (question) => link.ask(question).then((answer) => isAnswered.promise.then(() => answer)),
  }));
  const raw = observe(t, redis);
  const told: string[] = [];
  const first = await enter(one, 's', 'a', told);
  const entering = enter(slow, 's', 'b', told);
  await waitFor('it to be in the line', async () => (await lengthOf(raw, 's')) === 2);
  first.leave();
  await waitFor('its turn', async () => (await lengthOf(raw, 's')) === 1);
  await delay(200);
  isAnswered.resolve();
  t.equal((await entering).mustWait, false);
  t.strictSame(told, ['a', 'b']);
});

nothingIsLeft(t);
