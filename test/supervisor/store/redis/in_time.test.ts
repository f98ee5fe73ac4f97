// An answer is waited for so long and no longer, and one that was there in time is not lost to a busy event loop.
import t from 'tap';
import { inTime } from '../../../../supervisor/store/redis/in_time.ts';
import { redisOrSkip } from '../../../helpers/redis_server.ts';
import { Redis } from 'ioredis';

t.test('what is answered in time is the answer, be it a failure', async (t) => {
  t.equal(await inTime(Promise.resolve(1), 10_000), 1);
  await t.rejects(inTime(Promise.reject(new Error('no')), 10_000), { message: 'no' });
});

t.test('no answer in time is none, and one that comes late disturbs nobody', async (t) => {
  const answer = Promise.withResolvers<number>();
  await t.rejects(inTime(answer.promise, 20), { name: 'RedisUnreachable', message: 'no answer within 20 ms' });
  answer.reject(new Error('late'));
  await new Promise(setImmediate);
});

t.test('an answer that came while this process was busy is an answer', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const client = new Redis(redis.url);
  t.teardown(() => client.disconnect());
  await client.ping();
  for (let round = 0; round < 5; round += 1) {
    const answer = inTime(client.ping(), 50);
    await new Promise(setImmediate);
    for (const began = performance.now(); performance.now() - began < 150;);
    t.equal(await answer, 'PONG');
  }
});
