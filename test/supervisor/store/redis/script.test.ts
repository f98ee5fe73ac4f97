// Scripts run whole in a Redis that knows them, or is told them once.
import { Redis } from 'ioredis';
import t from 'tap';
import { orderedScript, script } from '../../../../supervisor/store/redis/script.ts';
import { redisOrSkip } from '../../../helpers/redis_server.ts';
import { waitFor } from '../../../helpers/wait_for.ts';

const SWAP = script(`
  local before = redis.call('GET', KEYS[1])
  redis.call('SET', KEYS[1], ARGV[1])
  return before
`);

t.test('it is sent where Redis does not know it: the first time, after a restart, after a flush', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const client = new Redis(redis.url, { maxRetriesPerRequest: null, retryStrategy: () => 20 });
  client.on('error', () => undefined);
  t.teardown(() => client.disconnect());
  const sent = async (): Promise<string[]> =>
    [...(await client.info('commandstats')).matchAll(/cmdstat_(eval\w*):calls=(\d+)/g)].map(([, name, calls]) => `${name} ${calls}`).toSorted();
  t.equal(await SWAP(client, ['k'], ['a']), null);
  t.equal(await SWAP(client, ['k'], [Buffer.from('b')]), 'a');
  t.strictSame(await sent(), ['eval 1', 'evalsha 2'], 'and once only');
  await client.script('FLUSH');
  t.equal(await SWAP(client, ['k'], [3]), 'b');
  await redis.restart();
  await waitFor('Redis', () => client.status === 'ready');
  t.equal(await SWAP(client, ['k'], ['d']), null);
  t.equal(await SWAP(client, ['k'], ['e']), 'd');
});

t.test('one whose calls keep their order is overtaken by none of them, whoever makes it known to Redis meanwhile', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const client = new Redis(redis.url);
  t.teardown(() => client.disconnect());
  const lua = "return redis.call('RPUSH', KEYS[1], ARGV[1])";
  const push = orderedScript(lua);
  t.strictSame(await Promise.all([push(client, ['l'], ['a']), client.script('LOAD', lua), push(client, ['l'], ['b'])]).then(([a, , b]) => [a, b]), [1, 2]);
  t.strictSame(await client.lrange('l', 0, -1), ['a', 'b']);
});

t.test('what fails in it, fails; it is not run again', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const client = new Redis(redis.url);
  t.teardown(() => client.disconnect());
  const fails = script("redis.call('INCR', KEYS[1]) return redis.error_reply('SORRY no')");
  await t.rejects(fails(client, ['n'], []), { name: 'ReplyError', message: /SORRY no/ });
  t.equal(await client.get('n'), '1');
});
