// The Redis that tests start: it answers, holds still, comes back empty, and nothing is left of it.
import { Redis } from 'ioredis';
import t from 'tap';
import { nothingIsLeft } from './leftovers.ts';
import { isAlive } from './processes.ts';
import { spawnProcess } from './process.ts';
import { redisOrSkip } from './redis_server.ts';
import { waitFor } from './wait_for.ts';

const HELPER = new URL('redis_server.ts', import.meta.url).href;

t.test('it answers, is frozen and resumed, killed and started anew, and stopped even where it is frozen', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const client = new Redis(redis.url, { retryStrategy: () => 20, commandTimeout: 10_000, maxRetriesPerRequest: null });
  client.on('error', () => undefined);
  t.teardown(() => client.disconnect());
  await client.set('a', '1');
  redis.freeze();
  let answered = false;
  const asked = client.get('a').finally(() => (answered = true));
  await new Promise((resolve) => setTimeout(resolve, 200));
  t.notOk(answered);
  redis.resume();
  t.equal(await asked, '1');
  const { pid } = redis;
  await redis.restart();
  t.not(redis.pid, pid);
  t.notOk(isAlive(pid));
  t.equal(await client.get('a'), null);
  client.disconnect();
  redis.freeze();
  await redis.stop();
  t.notOk(isAlive(redis.pid));
  await redis.stop();
});

t.test('one that asks for a password is ready as well', async (t) => {
  const redis = await redisOrSkip(t, { args: ['--requirepass', 'secret'] });
  if (redis === null) return;
  t.ok(isAlive(redis.pid));
});

t.test('it does not outlive whoever has started it, though that is killed', async (t) => {
  if ((await redisOrSkip(t)) === null) return;
  const code = `const redis = await (await import(${JSON.stringify(HELPER)})).startRedis(); console.log(redis.pid); setInterval(() => undefined, 1000);`;
  const { process: child, output, exited } = spawnProcess(process.execPath, ['--input-type=module', '-e', code]);
  t.teardown(() => child.kill('SIGKILL'));
  const pid = Number(await waitFor('it to start', () => /\d+/.exec(output.stdout)?.[0]));
  t.ok(isAlive(pid));
  child.kill('SIGKILL');
  await exited;
  await waitFor('its end', () => !isAlive(pid));
});

nothingIsLeft(t);
