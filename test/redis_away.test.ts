// A server whose Redis is gone, full or not to be opened answers at once, lets nobody in unchecked, ends what runs, and comes back with it.
import t from 'tap';
import { makeToken } from '../supervisor/access/token_form.ts';
import { chat, send } from './helpers/http_client.ts';
import { nothingIsLeft } from './helpers/leftovers.ts';
import { askAll, askInTime, endsInTime, isBack, isDegraded, isForgotten, LIMITS, PASSWORD, settingOn, talk, urlOf, WHEN_AWAY } from './helpers/redis_away.ts';
import { observe } from './helpers/redis_machine.ts';
import { redisOrSkip } from './helpers/redis_server.ts';
import { serve } from './helpers/serve.ts';
import { adminTokenOf, bearer } from './helpers/tokens.ts';

t.test('stopped while an interaction runs, it ends that first', async (t) => {
  const redis = await redisOrSkip(t, { args: ['--requirepass', PASSWORD] });
  if (redis === null) return;
  const setting = await settingOn(t, redis);
  const running = await talk(setting, 'cut');
  await running.until('text');
  redis.freeze();
  await endsInTime(setting, t);
  await running.ended;
  t.match(running.events.at(-1)?.content, { type: 'error', error: { code: 'session_not_saved' } });
});

t.test('killed, and started anew without anything', async (t) => {
  const redis = await redisOrSkip(t, { args: ['--requirepass', PASSWORD] });
  if (redis === null) return;
  const setting = await settingOn(t, redis);
  const { url } = setting.server;
  const running = await talk(setting, 'cut');
  await running.until('text');
  await redis.kill();
  await isForgotten(setting);
  t.strictSame(await askInTime(setting, t), WHEN_AWAY);
  await isDegraded(setting, t);
  await running.ended;
  t.match(running.events.at(-1)?.content, { type: 'error', error: { code: 'session_not_saved' } });
  await redis.start();
  await isBack(setting, t);
  t.equal((await chat(url, { message: 'hi' }, bearer(setting.token))).status, 401, 'a token that Redis has lost is none');
  await endsInTime(setting, t);
});

t.test('full', async (t) => {
  const redis = await redisOrSkip(t, { args: ['--requirepass', PASSWORD] });
  if (redis === null) return;
  const setting = await settingOn(t, redis);
  t.equal((await chat(setting.server.url, { message: 'hi', session_id: 'kept' })).status, 200);
  const running = await talk(setting, 'kept');
  await running.until('text');
  const raw = observe(t, { url: urlOf(redis, PASSWORD) });
  await raw.config('SET', 'maxmemory', '1');
  t.strictSame(await askInTime(setting, t), { ...WHEN_AWAY,
    'a chat of an unknown token': [401, 'UNAUTHORIZED'], 'reading a session': [200], 'what a token asks of the agent': [200], 'listing tokens': [200],
    'revoking a token': [404, 'TOKEN_NOT_FOUND'],
  }, 'what is to be written is refused, what is there can be read and revoked');
  const { server: { url }, admin } = setting;
  t.match(await send(url, '/ready'), { status: 200, json: { status: 'degraded', checks: { token_store: 'down', workers: 'ok' } } });
  t.match((await send(url, '/status', { headers: bearer(admin) })).json, { store: { backend: 'redis', connected: true } });
  t.match((await chat(url, { message: 'hi' })).json, { code: 'STORE_UNAVAILABLE', detail: 'The store of limits is full, and takes nothing new.' });
  await running.ended;
  t.match(running.events.at(-1)?.content, { type: 'error', error: { code: 'session_not_saved' } });
  await raw.config('SET', 'maxmemory', '0');
  await isBack(setting, t);
  raw.disconnect();
  await endsInTime(setting, t);
});

t.test('a server starts with a password that Redis does not take, or without any Redis, and refuses until it comes', async (t) => {
  const redis = await redisOrSkip(t, { args: ['--requirepass', 'another'] });
  if (redis === null) return;
  const server = await serve(t, 'faulty', { env: { ...LIMITS, REDIS_URL: urlOf(redis, PASSWORD) } });
  const setting = { server, token: makeToken().token, admin: await adminTokenOf(server) };
  t.strictSame(await askInTime(setting, t), WHEN_AWAY);
  await isDegraded(setting, t);
  await redis.kill();
  const without = await serve(t, 'faulty', { env: { ...LIMITS, REDIS_URL: urlOf(redis, 'another') } });
  const waiting = { ...setting, server: without, admin: await adminTokenOf(without) };
  t.strictSame((await askAll(waiting)).told, WHEN_AWAY);
  await redis.start();
  await isBack(waiting, t);
  t.equal((await chat(server.url, { message: 'hi' })).status, 503);
  for (const each of [setting, waiting]) await endsInTime(each, t);
  t.notMatch(without.output.stdout + without.output.stderr, /:another@/);
});

nothingIsLeft(t);
