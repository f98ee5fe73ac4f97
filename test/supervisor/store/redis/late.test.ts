// A script that reaches Redis too late changes nothing.
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { askUnlessLate, UNLESS_LATE } from '../../../../supervisor/store/redis/late.ts';
import { script } from '../../../../supervisor/store/redis/script.ts';
import { nothingIsLeft } from '../../../helpers/leftovers.ts';
import { machineOn, observe } from '../../../helpers/redis_machine.ts';
import { redisOrSkip } from '../../../helpers/redis_server.ts';
import { waitFor } from '../../../helpers/wait_for.ts';

const SET = script(`${UNLESS_LATE}
  redis.call('SET', KEYS[1], ARGV[2])
  return now
`);

t.test('in time it is run, on the clock of Redis and with keys of the agent', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const { link } = await machineOn(t, redis);
  const raw = observe(t, redis);
  const now = (await askUnlessLate(link, SET, ['k'], ['é'])) as number;
  const [seconds] = await raw.time();
  t.ok(Math.abs(now / 1000 - Number(seconds)) < 60);
  t.equal(await raw.get('oai:a:k'), 'é');
});

t.test('too late it is refused, and so it is while Redis is frozen, which runs it in vain when it goes on', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const { link } = await machineOn(t, redis);
  const late = await machineOn(t, redis, () => ({ deadline: Date.now() - 10_000 }));
  const raw = observe(t, redis);
  await t.rejects(askUnlessLate(late.link, SET, ['k'], ['1']), { name: 'RedisUnreachable' });
  redis.freeze();
  const asked = performance.now();
  await t.rejects(askUnlessLate(link, SET, ['k'], ['2']), { name: 'RedisUnreachable' });
  t.ok(performance.now() - asked < 3000);
  await delay(500);
  redis.resume();
  await waitFor('Redis', () => link.isUp);
  t.equal(await raw.get('oai:a:k'), null);
});

nothingIsLeft(t);
