// What Redis publishes is heard, again after the connection for it was dropped without a word, and what keeps it from being heard is told once.
import { Writable } from 'node:stream';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { Secret } from '../../../../shared/secret.ts';
import { LiveTokens } from '../../../../supervisor/access/live_tokens.ts';
import { RedisLink } from '../../../../supervisor/store/redis/link.ts';
import { redisTokens } from '../../../../supervisor/store/redis/tokens.ts';
import { nothingIsLeft } from '../../../helpers/leftovers.ts';
import { observe } from '../../../helpers/redis_machine.ts';
import { proxyTo } from '../../../helpers/redis_proxy.ts';
import { redisOrSkip } from '../../../helpers/redis_server.ts';
import { waitFor } from '../../../helpers/wait_for.ts';

const CHANNEL = 'oai:a:news';

function linkTo(t: Test, url: string) {
  const lines: string[] = [];
  const log = pino({}, new Writable({ write: (line, _encoding, done) => (lines.push(String(line)), done()) }));
  const link = new RedisLink({ url: new Secret(url), shown: 'host:1' }, 'a', log);
  t.teardown(() => link.close());
  const warned = (): unknown[] => lines.map((line) => JSON.parse(line) as { level: number; msg: string }).filter(({ level }) => level === 40).map(({ msg }) => msg);
  return { link, warned };
}

t.test('a connection that was dropped without a word is noticed and replaced, while everything else goes on', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const proxy = await proxyTo(t, redis);
  const raw = observe(t, redis);
  const { link, warned } = linkTo(t, proxy.url);
  const read: string[] = [];
  link.onMessage('news', (message) => read.push(message));
  await link.open();
  const isHeard = (text: string) => waitFor(`${text} to be heard`, async () => (await raw.publish(CHANNEL, text), read.includes(text)));
  await isHeard('before');
  proxy.drop();
  await isHeard('after');
  t.strictSame([link.isUp, proxy.listening], [true, 1]);
  t.strictSame(warned(), ['the connection on which Redis publishes is silent, and is opened anew']);
});

t.test('a user that may not listen is told of in the log, once, and works all the same', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const raw = observe(t, redis);
  await raw.call('ACL', 'SETUSER', 'mute', 'on', '>secret', '~*', 'resetchannels', '+@all');
  const { link, warned } = linkTo(t, redis.url.replace('//', '//mute:secret@'));
  link.onMessage('news', () => undefined);
  await link.open();
  await waitFor('a line', () => warned().length > 0);
  link.onMessage('more', () => undefined);
  await raw.call('CLIENT', 'KILL', 'USER', 'mute', 'SKIPME', 'yes');
  await waitFor('it to be back', async () => (await raw.client('LIST') as string).split('\n').filter((line) => line.includes('user=mute')).length === 2 && link.isUp);
  t.equal(await link.ask((client) => client.ping()), 'PONG');
  t.strictSame(warned().filter((msg) => msg === 'Redis lets this server listen to nothing').length, 1);
});

t.test('a revoked token\'s answers end within a second on a machine that hears nothing', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const proxy = await proxyTo(t, redis);
  proxy.dropAll();
  const live = new LiveTokens();
  t.teardown(() => live.close());
  const [deaf, other] = [linkTo(t, proxy.url).link, linkTo(t, redis.url).link];
  const heard = redisTokens(deaf, (id) => live.revoke(id), (id) => live.restore(id));
  const tokens = redisTokens(other, () => undefined);
  await Promise.all([deaf.open(), other.open()]);
  const token = { digest: new Uint8Array(32), name: null, userId: null, scopes: ['chat'], createdAt: 1, expiresAt: null, lastUsedAt: null, useCount: 0 } as const;
  const tookMs: number[] = [];
  // The best of a few: a busy machine may be late, but not each time.
  for (let attempt = 0; attempt < 5 && !tookMs.some((ms) => ms < 1000); attempt += 1) {
    const id = `t${attempt}`;
    await tokens.add({ ...token, id });
    const cut = Promise.withResolvers<void>();
    const response = { destroyed: false, once: () => undefined, destroy: () => cut.resolve() };
    live.follow({ id, expiresAt: null }, response as never);
    t.ok(await heard.findNow?.(id), 'it is known there');
    // The worst moment: the question of this beat is just answered.
    await new Promise<void>((resolve) => deaf.onBeat(async () => resolve()));
    await deaf.ask((client) => client.ping());
    const revokedAt = performance.now();
    await tokens.delete(id);
    await cut.promise;
    tookMs.push(performance.now() - revokedAt);
  }
  t.ok(tookMs.some((ms) => ms < 1000), `${tookMs.map(Math.round).join(', ')} ms`);
});

nothingIsLeft(t);
