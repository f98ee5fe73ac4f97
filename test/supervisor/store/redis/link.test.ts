// The link to a real Redis: answers in time or refuses, notices its end and its return, and tells nobody its password.
import { readFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { inspect } from 'node:util';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { Secret } from '../../../../shared/secret.ts';
import { ASK_TIMEOUT_MS, RedisLink } from '../../../../supervisor/store/redis/link.ts';
import { nothingIsLeft } from '../../../helpers/leftovers.ts';
import { redisOrSkip, startRedis } from '../../../helpers/redis_server.ts';
import { waitFor } from '../../../helpers/wait_for.ts';

const PASSWORD = 'pass-word-of-this-test';
/** Generous for a busy machine; what is promised is 2 s. */
const BACK_MS = 2000;

function linkTo(t: Test, url: string) {
  const lines: string[] = [];
  const log = pino({ level: 'trace' }, new Writable({ write: (line, _encoding, done) => (lines.push(String(line)), done()) }));
  const link = new RedisLink({ url: new Secret(url), shown: 'host:1' }, 'a', log);
  t.teardown(() => link.close());
  const beats: boolean[] = [];
  link.onBeat(async (isFirst) => void beats.push(isFirst));
  return { link, lines, beats };
}

/** With all that it carries. */
const shown = (error: unknown): string => inspect(error, { depth: 10, showHidden: true });

const ask = (link: RedisLink): Promise<string> => link.ask((redis) => redis.ping());

/** @returns what it was refused with, and after how many ms */
async function refusal(asked: Promise<unknown>): Promise<{ error: Error; afterMs: number }> {
  const began = performance.now();
  const error = await asked.then(() => new Error('it was answered'), (reason: Error) => reason);
  return { error, afterMs: performance.now() - began };
}

t.test('it answers, beats, and its server is known by a lease that it gives up', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const raw = new Redis(redis.url);
  t.teardown(() => raw.disconnect());
  const { link, beats, lines } = linkTo(t, redis.url);
  t.equal(link.isUp, false);
  t.equal(await link.open(), true);
  t.strictSame([link.isUp, await ask(link), beats], [true, 'PONG', [true]]);
  t.strictSame(await raw.keys('*'), [`oai:a:server:${link.server}`]);
  t.ok((await raw.pttl(link.key(`server:${link.server}`))) > 3000);
  await waitFor('another beat', () => beats.length > 2);
  t.strictSame(beats.slice(0, 3), [true, false, false]);
  const [seconds = 0] = (await raw.time()).map(Number);
  t.ok(Math.abs(link.deadline - seconds * 1000 - ASK_TIMEOUT_MS) < 2000);
  await link.close();
  t.strictSame([link.isUp, await raw.keys('*')], [false, []]);
  t.equal(lines.length, 1);
});

t.test('what Redis itself refuses is told as it is, without what was asked', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const { link } = linkTo(t, redis.url);
  await link.open();
  await link.ask((client) => client.set('k', 'v'));
  const { error } = await refusal(link.ask((client) => client.lpush('k', 'secret of a value')));
  t.match(error, { name: 'Error', message: /^WRONGTYPE/ });
  t.notMatch(shown(error), /secret of a value/);
  t.equal(link.isUp, true);
});

t.test('where there is none, everything is refused at once, and it is found when it comes', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  await redis.kill();
  const { link, beats } = linkTo(t, redis.url);
  t.equal(await link.open(), false);
  const { error, afterMs } = await refusal(ask(link));
  t.match(error, { name: 'RedisUnreachable', message: /^Redis at host:1 is away: .*ECONNREFUSED/ });
  t.ok(afterMs < 100, 'it is not tried');
  await redis.start();
  await waitFor('its return', () => link.isUp, BACK_MS);
  t.strictSame([await ask(link), beats[0]], ['PONG', true]);
});

t.test('killed and back, empty: it is told as new', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const { link, beats, lines } = linkTo(t, redis.url);
  await link.open();
  await redis.kill();
  await waitFor('its end', () => !link.isUp, 1000);
  t.match((await refusal(ask(link))).error, { name: 'RedisUnreachable' });
  const known = beats.length;
  await redis.start();
  await waitFor('its return', () => link.isUp, BACK_MS);
  t.equal(beats[known], true);
  t.equal(await link.ask((client) => client.exists(link.key(`server:${link.server}`))), 1, 'it is known there again');
  const told = lines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  t.strictSame(told.map(({ msg }) => msg), ['Redis answers', 'Redis does not answer', 'Redis answers']);
  t.equal(told[1]?.['reason'], 'the connection was closed');
});

t.test('one that stands still is noticed, though nobody asks; who asks waits for a second at most; and it is back when it goes on', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const { link, beats } = linkTo(t, redis.url);
  await link.open();
  redis.freeze();
  const { error, afterMs } = await refusal(ask(link));
  t.match(error, { name: 'RedisUnreachable', message: `no answer within ${ASK_TIMEOUT_MS} ms` });
  t.ok(afterMs < 1000, `${afterMs}`);
  t.equal(link.isUp, false);
  t.ok((await refusal(ask(link))).afterMs < 100, 'who comes after that does not wait');
  const known = beats.length;
  redis.resume();
  await waitFor('its return', () => link.isUp, BACK_MS);
  t.strictSame([beats[known], await ask(link)], [true, 'PONG']);
  const connection = await link.ask((client) => client.client('ID'));
  redis.freeze();
  await waitFor('its end', () => !link.isUp, 3000);
  // For longer than a silent connection is kept.
  await waitFor('another connection', async () => (await connectionsOf(redis.port)) > 3, 10_000);
  redis.resume();
  await waitFor('its return', () => link.isUp, BACK_MS + 1000);
  t.not(await link.ask((client) => client.client('ID')), connection);
});

t.test('a password opens it, and a wrong one does not; neither is in a line or an error', async (t) => {
  const redis = await redisOrSkip(t, { args: ['--requirepass', PASSWORD] });
  if (redis === null) return;
  const errors: Error[] = [];
  const right = linkTo(t, redis.url.replace('//', `//:${PASSWORD}@`));
  t.equal(await right.link.open(), true);
  t.equal(await ask(right.link), 'PONG');
  await redis.kill();
  await waitFor('its end', () => !right.link.isUp);
  errors.push((await refusal(ask(right.link))).error);
  await redis.start();
  await waitFor('its return', () => right.link.isUp, BACK_MS);

  const wrong = linkTo(t, redis.url.replace('//', `//:not-${PASSWORD}@`));
  t.equal(await wrong.link.open(), false);
  errors.push(await waitFor('its refusal', async () => {
    const { error } = await refusal(ask(wrong.link));
    return /WRONGPASS/.test(error.message) && error;
  }));
  t.equal(wrong.link.isUp, false);
  const none = linkTo(t, redis.url);
  t.equal(await none.link.open(), false);
  errors.push((await refusal(ask(none.link))).error);
  t.match(errors, [{ name: 'RedisUnreachable' }, { name: 'RedisUnreachable' }, { name: 'RedisUnreachable', message: /NOAUTH/ }]);
  const told = [...right.lines, ...wrong.lines, ...none.lines, ...errors.map(shown)];
  t.notMatch(told.join(), PASSWORD);
});

t.test('one that has lost its lease is told as new', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const { link, beats, lines } = linkTo(t, redis.url);
  await link.open();
  await waitFor('a beat that is not the first', () => beats.at(-1) === false);
  const known = beats.length;
  await link.ask((client) => client.flushall());
  await waitFor('the news', () => beats.slice(known).includes(true), 5000);
  await waitFor('a beat after it', () => beats.at(-1) === false);
  t.equal(beats.slice(known).filter(Boolean).length, 1);
  t.equal(lines.length, 1, 'it has not been away');
});

t.test('one that reads its data is found soon after, whatever it had guessed', async (t) => {
  const loading = await loadingServer(t);
  const { link } = linkTo(t, loading.url);
  t.equal(await link.open(), false);
  await waitFor('its guess', () => loading.asked() > 0);
  loading.done();
  await waitFor('it', () => link.isUp, BACK_MS);
});

t.test('messages arrive, of this agent only, and again after the connection was cut', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const raw = new Redis(redis.url);
  t.teardown(() => raw.disconnect());
  const { link } = linkTo(t, redis.url);
  const read: string[] = [];
  link.onMessage('early', (message) => read.push(message));
  await link.open();
  link.onMessage('late', (message) => read.push(message));
  const heard = (channel: string) => waitFor(`somebody who hears ${channel}`, async () => (await raw.publish(channel, channel)) === 1);
  for (const channel of ['oai:a:early', 'oai:a:late']) await heard(channel);
  t.equal(await raw.publish('oai:b:early', 'x'), 0);
  await waitFor('both', () => read.includes('oai:a:early') && read.includes('oai:a:late'));
  await raw.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  read.splice(0);
  await heard('oai:a:late');
  await waitFor('it', () => read.includes('oai:a:late'));
});

t.test('a beat that fails counts as silence, and the next as a return', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  const { link, beats } = linkTo(t, redis.url);
  let fails = true;
  link.onBeat(async () => {
    if (fails) throw new Error('not understood');
  });
  t.equal(await link.open(), false);
  t.match((await refusal(ask(link))).error, { message: 'Redis at host:1 is away: not understood' });
  fails = false;
  await waitFor('its return', () => link.isUp && beats.length > 1);
  t.equal(await ask(link), 'PONG');
});

t.test('closed while it tries to connect, it lets go', async (t) => {
  const redis = await redisOrSkip(t);
  if (redis === null) return;
  await redis.kill();
  const { link } = linkTo(t, redis.url);
  const opened = link.open();
  await link.close();
  t.equal(await opened, false);
  const frozen = await startRedis();
  t.teardown(() => frozen.stop());
  const other = linkTo(t, frozen.url);
  await other.link.open();
  frozen.freeze();
  await other.link.close();
  t.equal(other.link.isUp, false);
});

nothingIsLeft(t);

/** Speaks as a Redis that is reading its data, and guesses that this takes another minute; then as one that has read them. */
async function loadingServer(t: Test) {
  let asked = 0;
  let loads = true;
  const answerTo = (command: string): string => {
    if (command.startsWith('eval')) return '*3\r\n$10\r\n1700000000\r\n$1\r\n0\r\n:0\r\n';
    if (command !== 'info') return '+OK\r\n';
    asked += 1;
    const text = loads ? 'loading:1\r\nloading_eta_seconds:60\r\n' : 'loading:0\r\n';
    return `$${text.length}\r\n${text}\r\n`;
  };
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      for (const [, command = ''] of data.toString().matchAll(/\*\d+\r\n\$\d+\r\n(\w+)/g)) socket.write(answerTo(command.toLowerCase()));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => void server.close());
  return { url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`, asked: () => asked, done: () => void (loads = false) };
}

/** Established ones to this port, seen from this process's machine: both ends of each count as one. */
async function connectionsOf(port: number): Promise<number> {
  const end = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const lines = (await readFile('/proc/net/tcp', 'utf8')).split('\n');
  return lines.filter((line) => line.trim().split(/\s+/)[2]?.endsWith(end)).length;
}
