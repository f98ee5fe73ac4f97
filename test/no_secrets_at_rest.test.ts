// Nothing that a server keeps or prints has a secret in it: not its store, be it Redis or its own files, nor its log at its most talkative.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { makeAdminToken, makeToken } from '../supervisor/access/token_form.ts';
import { makeFolder } from './helpers/folder.ts';
import { chat, send, stream } from './helpers/http_client.ts';
import { nothingIsLeft } from './helpers/leftovers.ts';
import { FORM_TYPE, formOf } from './helpers/multipart.ts';
import type { StartedServer } from './helpers/process.ts';
import { observe } from './helpers/redis_machine.ts';
import { redisOrSkip } from './helpers/redis_server.ts';
import { serve } from './helpers/serve.ts';
import { bearer } from './helpers/tokens.ts';

/** What may be kept: a search that does not find it would find no secret either. */
const KEPT = 'what was said';
const PASSWORD = 'canary-of-the-password';
const ADMIN = makeAdminToken();

/** Uses the server in every way in which a secret comes to it. @returns the secrets */
async function use(t: Test, { url }: StartedServer): Promise<readonly string[]> {
  const [headerEnv, bodyEnv, formEnv, unlisted] = ['canary-of-a-header', 'canary-of-a-body', 'canary-of-a-form', 'canary-of-an-unlisted'] as const;
  const admin = bearer(ADMIN);
  const made: string[] = [];
  for (const body of [{ scopes: ['chat'], name: 'a name' }, { scopes: ['chat', 'agent'], user_id: 'ada' }, { scopes: ['admin'] }]) {
    made.push(String((await send(url, '/tokens', { method: 'POST', headers: admin, body })).json['token']));
  }
  const [first = '', second = '', third = ''] = made;
  const ids = made.map((token) => String(token.split('_')[1]));
  const message = `say ${KEPT}`;
  const streamed = await stream(url, { message: `${message}\nfail In vain.`, env: { GITHUB_TOKEN: bodyEnv } }, { api_token: second });
  await streamed.ended;
  const form = { ...bearer(first), 'content-type': FORM_TYPE };
  const formBody = formOf(['message', message], ['env', JSON.stringify({ GITHUB_TOKEN: formEnv })]);
  const answers = [
    streamed,
    await chat(url, { message, session_id: 's' }, { ...bearer(first), 'github-token': headerEnv }),
    await chat(url, { message, session_id: 's', env: { GITHUB_TOKEN: bodyEnv } }, { 'x-api-key': first }),
    await send(url, '/chat/with-files', { method: 'POST', body: formBody, headers: form }),
    await send(url, '/tokens', { headers: bearer(third) }),
    await send(url, `/tokens/${ids[1]}`, { method: 'DELETE', headers: admin }),
    await chat(url, { message, session_id: 's', env: { OTHER: unlisted } }, { 'api-token': first }),
    await send(url, `/status?token=${first}`, { headers: { authorization: `Bearer ${second}`, 'x-api-key': first } }),
    await chat(url, { message }, bearer(second)),
  ];
  t.strictSame(answers.map(({ status }) => status), [200, 200, 200, 200, 200, 204, 422, 400, 401]);
  const [unknown, other] = [makeToken().token, makeToken().token.split('_')[2] ?? ''] as const;
  const wrong = [unknown, `oas_${ids[0]}_${other}`, 'canary-of-a-malformed-token'];
  for (const credential of wrong) t.equal((await chat(url, { message }, bearer(credential))).status, 401);
  return [...made, ...wrong, ADMIN].map((token) => token.split('_').at(-1) ?? '').concat(PASSWORD, headerEnv, bodyEnv, formEnv, unlisted);
}

/** In whatever way they may have been written down. */
function found(secrets: readonly string[], kept: string): readonly string[] {
  const formsOf = (secret: string): readonly string[] => [secret, Buffer.from(secret).toString('hex'), btoa(secret).replace(/=+$/, '')];
  return secrets.filter((secret) => formsOf(secret).some((form) => kept.includes(form)));
}

/** All files of a folder, one after another. */
async function filesOf(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  return (await Promise.all(files.map(async (file) => `${file}\n${await readFile(file, 'latin1')}`))).join('\n');
}

/** Every key with what it has, as it is read and as it is dumped. */
async function keysOf(redis: Redis): Promise<string> {
  const kept: unknown[] = [];
  for (const key of await redis.keys('*')) {
    kept.push(key, (await redis.dumpBuffer(key))?.toString('latin1'));
    const type = await redis.type(key);
    if (type === 'string') kept.push(await redis.get(key));
    else if (type === 'hash') kept.push(await redis.hgetall(key));
    else if (type === 'list') kept.push(await redis.lrange(key, 0, -1));
    else if (type === 'zset') kept.push(await redis.zrange(key, '0', '-1', 'WITHSCORES'));
    else kept.push(await redis.smembers(key));
  }
  return JSON.stringify(kept);
}

async function printsNothing(t: Test, { output, stop }: StartedServer, secrets: readonly string[]): Promise<void> {
  t.strictSame(await stop(), { code: 0, signal: null });
  t.match(output.stderr, 'interaction ended', 'it has a log');
  t.strictSame(found(secrets, output.stdout + output.stderr), []);
}

const env = { OAI_ADMIN_TOKEN: ADMIN, LOG_LEVEL: 'debug', RATE_LIMIT_CHAT: '100/minute', MAX_CONCURRENT_PER_TOKEN: '10' };

t.test('with the embedded store: its files and its log', async (t) => {
  const server = await serve(t, 'puppet', { env });
  const secrets = await use(t, server);
  const kept = await filesOf(server.dataDir);
  t.ok(kept.includes(KEPT) && kept.includes('state.db'));
  t.strictSame(found(secrets, kept), []);
  await printsNothing(t, server, secrets);
});

t.test('with Redis: its keys, its dump on disk, the server\'s files and its log', async (t) => {
  const dir = await makeFolder(t);
  const redis = await redisOrSkip(t, { args: ['--requirepass', PASSWORD, '--dir', dir, '--rdbcompression', 'no'] });
  if (redis === null) return;
  const url = `redis://:${PASSWORD}@127.0.0.1:${redis.port}`;
  const server = await serve(t, 'puppet', { env: { ...env, REDIS_URL: url } });
  const secrets = await use(t, server);
  const raw = observe(t, { url });
  await raw.save();
  for (const kept of [await keysOf(raw), await filesOf(dir)]) {
    t.ok(kept.includes(KEPT) && kept.includes('token-uses'));
    t.strictSame(found(secrets, kept), []);
  }
  t.strictSame(found(secrets, await filesOf(server.dataDir)), []);
  await printsNothing(t, server, secrets);
});

nothingIsLeft(t);
