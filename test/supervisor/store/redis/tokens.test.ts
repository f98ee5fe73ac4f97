// Tokens in a real Redis: what one machine makes or revokes holds on all, and whatever happens to Redis, nobody is let in who should not be.
import { Redis } from 'ioredis';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { Secret } from '../../../../shared/secret.ts';
import { ADMIN } from '../../../../supervisor/access/caller.ts';
import { digestOf, makeToken } from '../../../../supervisor/access/token_form.ts';
import { Tokens } from '../../../../supervisor/access/tokens.ts';
import { RedisLink } from '../../../../supervisor/store/redis/link.ts';
import { redisTokens } from '../../../../supervisor/store/redis/tokens.ts';
import { MAX_TOKENS, type StoredToken, type TokenStore } from '../../../../supervisor/store/tokens.ts';
import { nothingIsLeft } from '../../../helpers/leftovers.ts';
import { redisOrSkip, type RedisServer } from '../../../helpers/redis_server.ts';
import { waitFor } from '../../../helpers/wait_for.ts';

const log = pino({ level: 'silent' });
const KEY = 'oai:a:tokens';

function tokenOf(id: string, fields: Partial<StoredToken> = {}): StoredToken {
  const digest = Buffer.alloc(32, id);
  return { id, digest, name: null, userId: null, scopes: ['chat'], createdAt: 1, expiresAt: null, lastUsedAt: null, useCount: 0, ...fields };
}

interface Machine {
  readonly link: RedisLink;
  readonly store: TokenStore;
  /** As it was told, in order. */
  readonly revoked: string[];
  readonly made: string[];
}

async function machineOf(t: Test, { url }: RedisServer, agent = 'a'): Promise<Machine> {
  const link = new RedisLink({ url: new Secret(url), shown: 'redis' }, agent, log);
  t.teardown(() => link.close());
  const [revoked, made]: [string[], string[]] = [[], []];
  const store = redisTokens(link, (id) => revoked.push(id), (id) => made.push(id));
  if (!(await link.open())) await waitFor('Redis', () => link.isUp);
  return { link, store, revoked, made };
}

function observer(t: Test, { url }: RedisServer): Redis {
  const redis = new Redis(url);
  redis.on('error', () => undefined);
  t.teardown(() => redis.disconnect());
  return redis;
}

const tokensOn = (t: Test, { store }: Machine): Tokens => {
  const tokens = new Tokens({ store, adminDigest: digestOf('admin'), log, tokenEnd: () => null, onRevoked: () => undefined });
  t.teardown(() => tokens.close());
  return tokens;
};
const CHAT = { scopes: ['chat'], userId: 'ada', name: null, ttlMs: null } as const;
const ids = (tokens: readonly StoredToken[]): string[] => tokens.map(({ id }) => id);
/** Whether it is let in, as far as the store says. Away counts as no. */
async function lives({ store }: Machine, id: string): Promise<boolean> {
  try {
    return (await store.find(id)) !== null;
  } catch {
    return false;
  }
}

async function withRedis(t: Test, args: readonly string[] = []) {
  const redis = await redisOrSkip(t, { args });
  if (redis === null) return null;
  return { redis, one: await machineOf(t, redis), two: await machineOf(t, redis), raw: observer(t, redis) };
}

t.test('what one machine puts in, another finds at once and after a start, as it was, oldest first', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { redis, one, two } = setting;
  const all = [
    tokenOf('z', { name: 'Zoë’s “laptop”', userId: 'zoë', scopes: ['chat', 'logs:all'], createdAt: 5, expiresAt: Date.now() + 60_000 }),
    tokenOf('a', { createdAt: 4 }),
    tokenOf('b', { createdAt: 6 }),
  ];
  for (const token of all) {
    t.equal(await one.store.add(token), true);
    t.strictSame(await two.store.findNow?.(token.id), token);
  }
  t.strictSame(await one.store.find('z'), all[0]);
  t.strictSame(two.made, ['z', 'a', 'b']);
  const three = await machineOf(t, redis);
  for (const { store } of [one, two, three]) t.strictSame(await store.list(), [all[1], all[0], all[2]]);
  t.strictSame(three.made, [], 'those of the first reading are no news');
  const other = await machineOf(t, redis, 'b');
  t.strictSame(await other.store.list(), [], 'each agent has its own');
});

t.test('no secret is in Redis', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { token } = await tokensOn(t, setting.one).create(CHAT, ADMIN);
  const kept: string[] = [];
  for (const key of await setting.raw.keys('*')) kept.push(JSON.stringify(await setting.raw.call('DUMP', key)), key);
  kept.push(JSON.stringify(await setting.raw.hgetall(KEY)));
  t.ok(kept.length > 3);
  t.notMatch(kept.join(), token.split('_')[2] ?? '');
});

t.test('what one machine revokes is dead on all: there before it says so, elsewhere within a second, though nobody asks', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { one, two } = setting;
  for (const id of ['a', 'b']) await one.store.add(tokenOf(id));
  t.ok(await two.store.findNow?.('a'));
  const asked = performance.now();
  t.equal(await one.store.delete('a'), true);
  t.equal(one.store.find('a'), null);
  t.strictSame([await one.store.delete('a'), await one.store.delete('nobody')], [false, false]);
  await waitFor('the other machine to know', () => two.revoked.length > 0);
  t.ok(performance.now() - asked < 1000, 'streams end');
  t.equal(await lives(two, 'a'), false);
  t.ok(await lives(two, 'b'));
  t.strictSame([one.revoked, two.revoked], [['a'], ['a']]);
});

t.test('a message tells it, sooner than it would be found out', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { one, two } = setting;
  const all = Array.from({ length: 10 }, (_, i) => `t${i}`);
  for (const id of all) await one.store.add(tokenOf(id));
  await waitFor('the other machine to know', () => two.made.length === all.length);
  const asked = performance.now();
  for (const id of all) {
    await one.store.delete(id);
    await waitFor('the other machine to know', () => two.revoked.includes(id));
  }
  t.ok(performance.now() - asked < 1000, 'each waited for a beat would take longer');
});

t.test('so it is where the message of it does not arrive', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { one, two, raw } = setting;
  await one.store.add(tokenOf('a'));
  t.ok(await two.store.findNow?.('a'));
  const cut = setInterval(() => void raw.call('CLIENT', 'KILL', 'TYPE', 'pubsub').catch(() => undefined), 5);
  t.teardown(() => clearInterval(cut));
  await waitFor('the cut', async () => !/ flags=P /.test(String(await raw.call('CLIENT', 'LIST'))));
  await one.store.add(tokenOf('b'));
  t.match(one.store.find('b'), { id: 'b' }, 'where it was done it holds at once');
  await one.store.delete('a');
  t.equal(one.store.find('a'), null);
  const asked = performance.now();
  await waitFor('the other machine to know', () => two.revoked.includes('a'));
  t.ok(performance.now() - asked < 1000);
  t.equal(await lives(two, 'a'), false);
});

t.test('a fresh mirror answers without Redis, and at once', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { one, raw } = setting;
  await one.store.add(tokenOf('a'));
  const asked = async (): Promise<number> => Number(/cmdstat_evalsha:calls=(\d+)/.exec(await raw.info('commandstats'))?.[1]);
  const before = await asked();
  const found = Array.from({ length: 10_000 }, () => one.store.find('a'));
  t.ok(found.every((token) => token !== null && !(token instanceof Promise)));
  t.ok((await asked()) - before < 20);
});

t.test('all that fail take the same way: one question each, valid ones none', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { one } = setting;
  let asked = 0;
  const { store } = one;
  const findNow = (id: string): Promise<StoredToken | null> => {
    asked += 1;
    return store.findNow?.(id) ?? Promise.reject(new Error('it has none'));
  };
  const counted: TokenStore = { ...store, findNow };
  const tokens = tokensOn(t, { ...one, store: counted });
  const [valid, revoked] = [await tokens.create(CHAT, ADMIN), await tokens.create(CHAT, ADMIN)];
  const expired = await tokens.create({ ...CHAT, ttlMs: 1 }, ADMIN);
  await tokens.revoke(revoked.stored.id, ADMIN);
  await waitFor('it to expire', () => Date.now() > (expired.stored.expiresAt ?? 0));
  const wrong = valid.token.slice(0, -1) + (valid.token.endsWith('a') ? 'b' : 'a');
  const failing: Readonly<Record<string, string>> = { unknown: makeToken().token, wrong, revoked: revoked.token, expired: expired.token };
  const times: Record<string, number[]> = { unknown: [], wrong: [], revoked: [], expired: [] };
  for (let round = 0; round < 60; round += 1) {
    for (const [kind, token] of Object.entries(failing)) {
      const before = asked;
      const began = performance.now();
      if ((await tokens.check(token)) !== null) t.fail(kind);
      times[kind]?.push(performance.now() - began);
      if (asked !== before + 1) t.fail(`${kind}: ${asked - before} questions`);
    }
  }
  const medians = Object.values(times).map((each) => each.toSorted((a, b) => a - b)[30] ?? 0);
  t.ok(Math.max(...medians) < 2 * Math.min(...medians), `medians in ms: ${medians.map((ms) => ms.toFixed(3)).join(', ')}`);
  const before = asked;
  t.match(await tokens.check(valid.token), { id: 'user:ada' });
  t.equal(asked, before);
});

t.test('many that fail at once share their questions, and do not hold up whoever is valid', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { one, raw } = setting;
  const tokens = tokensOn(t, one);
  const { token } = await tokens.create(CHAT, ADMIN);
  const wrong = Array.from({ length: 10_000 }, () => makeToken().token);
  const calls = async (): Promise<number> => Number(/cmdstat_evalsha:calls=(\d+)/.exec(await raw.info('commandstats'))?.[1]);
  const before = await calls();
  let valid: unknown;
  const checked = wrong.map((each, i) => {
    // Not at the end: a busy machine takes longer for all of them than what is known of a token counts.
    if (i === 500) valid = tokens.check(token);
    return tokens.check(each);
  });
  t.match(valid, { id: 'user:ada' }, 'answered at once, no promise');
  t.ok((await Promise.all(checked)).every((caller) => caller === null));
  t.ok((await calls()) - before < 50, 'a question is one for all who wait');
  const [began, sent] = [performance.now(), await calls()];
  while (performance.now() < began + 500) await tokens.check(makeToken().token);
  t.ok((await calls()) - sent < (performance.now() - began) / 4, 'nor does one after the other ask without end');
});

t.test('whoever missed more changes than are logged reads all anew', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { redis, one, raw } = setting;
  await one.store.add(tokenOf('a'));
  await one.store.add(tokenOf('b'));
  const late = await machineOf(t, redis);
  t.strictSame(ids(await late.store.list()), ['a', 'b']);
  const version = await raw.get('oai:a:token-version');
  const text = (await raw.hget(KEY, 'b')) ?? '';
  await raw.multi().zremrangebyrank('oai:a:token-changes', 0, -1).hdel(KEY, 'a').hset(KEY, 'c', text).hset(KEY, 'd', text)
    .incrby('oai:a:token-version', 5000).zadd('oai:a:token-changes', Number(version) + 5000, 'c').exec();
  t.strictSame(ids(await late.store.list()), ['b', 'c', 'd']);
  t.strictSame([late.revoked, late.made.toSorted()], [['a'], ['c', 'd']]);
});

t.test('the log of changes is bounded', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { one, raw } = setting;
  // Not all at once, of which the last would have waited for too long.
  for (let i = 0; i < 1100; i += 50) await Promise.all(Array.from({ length: 50 }, (_, j) => one.store.add(tokenOf(`t${i + j}`))));
  t.equal(await raw.zcard('oai:a:token-changes'), 1000);
  t.equal((await one.store.list()).length, 1100);
});

t.test('uses add up over machines; those of a token that is gone count for nothing, and go with it', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { one, two, raw } = setting;
  await one.store.add(tokenOf('a'));
  await one.store.addUses(new Map([['a', { count: 2, lastUsedAt: 10 }], ['gone', { count: 9, lastUsedAt: 10 }]]));
  await two.store.addUses(new Map([['a', { count: 1, lastUsedAt: 9 }]]));
  t.match(await two.store.list(), [{ id: 'a', useCount: 3, lastUsedAt: 10 }]);
  await one.store.delete('a');
  t.strictSame(await raw.keys('oai:a:token-[ul]*'), []);
});

t.test('expired ones are deleted up to a time, which ends nothing', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { one, two } = setting;
  for (const [id, expiresAt] of [['a', 10], ['b', 11], ['c', null]] as const) await one.store.add(tokenOf(id, { expiresAt }));
  t.ok(await two.store.findNow?.('a'), 'they are found until then');
  await one.store.deleteExpired(10);
  t.strictSame([ids(await one.store.list()), ids(await two.store.list())], [['b', 'c'], ['b', 'c']]);
  t.strictSame([one.revoked, two.revoked], [[], []]);
});

t.test('a Redis that stands still lets nobody in whom it did not let in a moment ago, and does later nothing that was given up', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { redis, one, raw } = setting;
  await one.store.add(tokenOf('a'));
  redis.freeze();
  const asked = performance.now();
  await t.rejects(async () => one.store.findNow?.('nobody'), { name: 'RedisUnreachable' });
  await t.rejects(async () => one.store.add(tokenOf('late')), { name: 'RedisUnreachable' });
  await t.rejects(async () => one.store.delete('a'), { name: 'RedisUnreachable' });
  t.ok(performance.now() - asked < 3000);
  await waitFor('the last to be refused', async () => !(await lives(one, 'a')), 2000);
  await t.rejects(async () => one.store.find('a'), { name: 'RedisUnreachable' });
  t.equal(one.store.isUp, false);
  redis.resume();
  await waitFor('Redis', () => one.store.isUp);
  t.ok(await waitFor('the token', () => lives(one, 'a')), 'it was not revoked');
  t.strictSame(await raw.hkeys(KEY), ['a'], 'and the other was not made');
  t.strictSame(one.revoked, []);
});

t.test('what reaches Redis just when it goes on is refused as well', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { redis, one, raw } = setting;
  await one.store.add(tokenOf('a'));
  // Sent, and read by Redis only after its sender has given up.
  redis.freeze();
  const changes = [one.store.add(tokenOf('late')), one.store.delete('a'), one.store.addUses(new Map([['a', { count: 1, lastUsedAt: 1 }]]))];
  for (const change of changes) await t.rejects(async () => change, { name: 'RedisUnreachable' });
  redis.resume();
  await waitFor('Redis', () => one.store.isUp);
  t.strictSame([await raw.hkeys(KEY), await raw.exists('oai:a:token-uses')], [['a'], 0]);
});

t.test('a Redis that comes back empty has no tokens: what they began ends, and goes on where its data come back', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { redis, one, raw } = setting;
  await one.store.add(tokenOf('a'));
  const text = (await raw.hget(KEY, 'a')) ?? '';
  await redis.restart();
  await waitFor('its end', () => one.revoked.includes('a'));
  t.equal(await lives(one, 'a'), false);
  t.equal(await one.store.add(tokenOf('b')), true);
  t.strictSame(ids(await one.store.list()), ['b']);
  await raw.hset(KEY, 'a', text);
  await waitFor('its return', () => lives(one, 'a'));
  t.ok(one.made.includes('a'));
});

t.test('data that are emptied or set back under its feet are noticed', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { one, two, raw } = setting;
  await one.store.add(tokenOf('a'));
  await raw.flushall();
  await waitFor('its end', () => one.revoked.includes('a'));
  await two.store.add(tokenOf('b'));
  t.ok(await one.store.findNow?.('b'));
  await raw.del('oai:a:token-version', 'oai:a:token-changes');
  await two.store.add(tokenOf('c'));
  t.ok(await one.store.findNow?.('c'));
});

t.test('after a break nothing is taken for known, though version and number are: the data may be others', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { one, raw } = setting;
  await one.store.add(tokenOf('a'));
  const text = (await raw.hget(KEY, 'a')) ?? '';
  await raw.multi().hdel(KEY, 'a').hset(KEY, 'b', text).call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes').exec();
  await waitFor('its end', () => one.revoked.includes('a'));
  t.strictSame([await lives(one, 'a'), await lives(one, 'b')], [false, true]);
});

t.test('a Redis whose memory is full goes on with what it has, makes nothing, and revokes all the same', async (t) => {
  const setting = await withRedis(t, ['--maxmemory-policy', 'noeviction']);
  if (setting === null) return;
  const { one, two, raw } = setting;
  await one.store.add(tokenOf('a'));
  await one.store.add(tokenOf('b'));
  t.ok(await two.store.findNow?.('b'));
  await raw.config('SET', 'maxmemory', '1mb');
  await t.rejects(async () => one.store.add(tokenOf('c')), /OOM/);
  t.strictSame([await lives(one, 'a'), await one.store.findNow?.('c')], [true, null]);
  t.equal(await one.store.delete('a'), true);
  await waitFor('the other machine to know', () => two.revoked.includes('a'));
  t.strictSame([await lives(one, 'a'), await lives(two, 'a'), await lives(two, 'b')], [false, false, true]);
  await raw.config('SET', 'maxmemory', '0');
  t.equal(await one.store.add(tokenOf('c')), true);
  t.strictSame([ids(await one.store.list()), ids(await two.store.list())], [['b', 'c'], ['b', 'c']]);
});

t.test('what cannot be understood lets nobody in, and does not disturb', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { redis, one, raw } = setting;
  await one.store.add(tokenOf('good'));
  for (const [id, text] of [['x', '{'], ['y', '{"digest":"00"}'], ['z', '[]']] as const) await raw.hset(KEY, id, text);
  const two = await machineOf(t, redis);
  for (const machine of [one, two]) {
    t.strictSame(ids(await machine.store.list()), ['good']);
    for (const id of ['x', 'y', 'z']) t.equal(await machine.store.findNow?.(id), null);
  }
  t.equal(await one.store.delete('x'), true);
});

t.test('there are ten thousand at most, on all machines together', async (t) => {
  const setting = await withRedis(t);
  if (setting === null) return;
  const { redis, one, raw } = setting;
  await one.store.add(tokenOf('first'));
  const text = (await raw.hget(KEY, 'first')) ?? '';
  await raw.hset(KEY, Object.fromEntries(Array.from({ length: MAX_TOKENS - 2 }, (_, i) => [`t${i}`, text])));
  const two = await machineOf(t, redis);
  t.equal((await two.store.list()).length, MAX_TOKENS - 1);
  t.strictSame([await one.store.add(tokenOf('last')), await two.store.add(tokenOf('more'))], [true, false]);
  await two.store.delete('t1');
  t.equal(await one.store.add(tokenOf('more')), true);
});

nothingIsLeft(t);
