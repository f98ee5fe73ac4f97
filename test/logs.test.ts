// The log of interactions as its reader finds it, with either database: a row for every end, with its figures and texts, and without any secret.
import { randomUUID } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { makeFolder } from './helpers/folder.ts';
import { chat, send, stream, type Json } from './helpers/http_client.ts';
import { nothingIsLeft } from './helpers/leftovers.ts';
import { connected, eachDatabase, rowOf, serveLogging, type LogDatabase, type LoggingServer } from './helpers/logging_server.ts';
import { startModelServer } from './helpers/model_server.ts';
import { chatForm, fileOf } from './helpers/multipart.ts';
import { directed } from './helpers/serve.ts';
import { bearer, mint } from './helpers/tokens.ts';

/** From a chat's end to its row. */
const ARRIVES_MS = 1000;
/** A busy machine may need some: one of them has to be in time. */
const TRIES = 5;

/** Asks with an id of our own, and waits for the row. */
async function asked(server: LoggingServer, body: Json, headers: Readonly<Record<string, string>> = {}): Promise<Json> {
  const id = randomUUID();
  await chat(server.url, { interaction_id: id, ...body }, headers);
  return rowOf(server, id);
}

t.test('a row for every end', (t) => eachDatabase(t, async (t, database) => {
  const dataDir = await makeFolder(t);
  const env = { CHAT_TIMEOUT_SECONDS: '2', CANCEL_GRACE_SECONDS: '0.3', DRAIN_TIMEOUT_SECONDS: '0.2' };
  const server = await serveLogging(t, 'clerk', database, { dataDir, env });
  await connected(server);

  const before = Date.now();
  const { json } = await chat(server.url, { message: 'say hello', session_id: 's1', user_id: 'ada' }, { 'user-agent': 'a test', cookie: 'c=1' });
  const row = await rowOf(server, String(json['interaction_id']));
  t.strictSame(Object.keys(row), [
    'interaction_id', 'timestamp', 'agent_name', 'session_id', 'user_id', 'endpoint', 'input_message', 'output_response', 'request_headers', 'model_info',
    'token_usage', 'total_tokens', 'response_time_ms', 'time_to_first_token_ms', 'queue_ms', 'status', 'error_code', 'error_message', 'files', 'created_at',
  ]);
  t.match(row, {
    agent_name: 'clerk', session_id: 's1', user_id: 'ada', endpoint: '/chat', input_message: 'say hello', output_response: 'hello', model_info: null,
    token_usage: null, total_tokens: null, status: 'success', error_code: null, error_message: null, files: [],
    request_headers: { 'user-agent': 'a test', 'content-type': 'application/json', cookie: undefined },
  });
  const { response_time_ms: took, time_to_first_token_ms: first, queue_ms: queued } = row as Readonly<Record<string, number>>;
  t.ok(Number(queued) <= Number(first) && Number(first) <= Number(took) && Number(queued) >= 0, `${queued} ${first} ${took}`);
  for (const time of [row['timestamp'], row['created_at']]) t.ok(Math.abs(Date.parse(String(time)) - before) < 60_000, String(time));
  t.match(String(row['timestamp']), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

  t.match(await asked(server, { message: 'fail on purpose' }), { status: 'error', error_code: 'agent_failed', error_message: 'on purpose', output_response: null });
  t.match(await asked(server, { message: 'say so far\nhold on' }), { status: 'timeout', error_code: 'timeout', output_response: 'so far' });
  const id = randomUUID();
  const cancelled = await stream(server.url, { message: 'say one\nhold on', interaction_id: id });
  await cancelled.until('text');
  await send(server.url, `/chat/${id}/cancel`, { method: 'POST' });
  t.match(await rowOf(server, id), { status: 'cancelled', error_code: 'cancelled', endpoint: '/chat/stream', output_response: 'one' });

  const uploaded = await chatForm(server.url, ['message', 'say thanks'], ['files', { filename: 'ä.txt', type: 'text/plain', content: 'secret of the file' }], fileOf('b.bin', 70_000));
  const { input_message, endpoint, files } = await rowOf(server, String(uploaded.json['interaction_id']));
  t.strictSame([input_message, endpoint], ['say thanks', '/chat/with-files']);
  t.strictSame(files, [{ name: 'ä.txt', type: 'text/plain', size: 18 }, { name: 'b.bin', type: 'application/octet-stream', size: 70_000 }]);
  const refused = await chatForm(server.url, ['message', '']);
  t.equal(refused.status, 422, 'what is not admitted has no row');

  const killed = randomUUID();
  const cut = await stream(server.url, { message: 'say I was\nhold on', interaction_id: killed, session_id: 's1' });
  await cut.until('text');
  await server.end('SIGKILL');
  const second = await serveLogging(t, 'clerk', database, { dataDir, env });
  t.match(await rowOf(second, killed), {
    status: 'interrupted', error_code: null, error_message: null, response_time_ms: null, input_message: 'say I was\nhold on', output_response: null, session_id: 's1',
  });
  t.match(await asked(second, { message: 'say again', session_id: 's1' }), { status: 'success' });

  const late = randomUUID();
  const running = await stream(second.url, { message: 'say it\nhold on', interaction_id: late });
  await running.until('text');
  t.strictSame(await second.end('SIGTERM'), { code: 0, signal: null });
  await running.ended;
  t.match(running.events.at(-1)?.content, { type: 'error', error: { code: 'shutting_down' } });
  const told = (await database.rows(dataDir)).filter(({ interaction_id }) => interaction_id === late);
  t.match(told, [{ status: 'error', error_code: 'shutting_down' }], 'what a stop cut is there when the server has ended');
  t.equal((await database.rows(dataDir)).length, 8);
}));

t.test('a chat that has ended is in the log within a second', (t) => eachDatabase(t, async (t, database) => {
  const server = await serveLogging(t, 'clerk', database);
  await connected(server);
  const arrivedMs: number[] = [];
  while (arrivedMs.length < TRIES && (arrivedMs.at(-1) ?? ARRIVES_MS) >= ARRIVES_MS) {
    const { json } = await chat(server.url, { message: 'say hello' });
    const answered = performance.now();
    await rowOf(server, String(json['interaction_id']));
    arrivedMs.push(Math.round(performance.now() - answered));
  }
  t.ok(Math.min(...arrivedMs) < ARRIVES_MS, `${arrivedMs.join(', ')} ms`);
  t.strictSame(await server.end('SIGTERM'), { code: 0, signal: null });
}));

t.test('the usage of the model calls that ended', (t) => eachDatabase(t, async (t, database) => {
  const model = await startModelServer();
  t.teardown(() => model.close());
  const env = { OPENAI_BASE_URL: model.url, OPENAI_API_KEY: 'sk-of-the-server' };
  const server = await serveLogging(t, 'scripted', database, { env });
  await connected(server);
  const call = { calls: [{ name: 'sized', arguments: { length: 3 } }], usage: { input: 11, output: 5 } };
  t.match(await asked(server, { message: directed({ text: 'Well then.', usage: { input: 3, output: 4 } }) }), {
    model_info: { model_id: 'scripted-1', provider: 'openai' }, total_tokens: 7, token_usage: { input_tokens: 3, output_tokens: 4, total_tokens: 7 }, status: 'success',
  });
  t.match(await asked(server, { message: directed([call, { words: 20, cut: 3 }]) }), {
    status: 'error', error_code: 'model_failed', total_tokens: 16, token_usage: { input_tokens: 11, output_tokens: 5, total_tokens: 16, partial: true },
  }, 'of two calls the second was cut');
  t.match(await asked(server, { message: directed({ usage: 'none', text: 'Hm.' }) }), { token_usage: null, total_tokens: null });
  t.strictSame(await server.end('SIGTERM'), { code: 0, signal: null });

  const sdk = await serveLogging(t, 'sdk_haiku', database, { env });
  await connected(sdk);
  t.match(await asked(sdk, { message: directed({ text: 'Calls within a call', usage: { input: 9, output: 6 } }) }), {
    agent_name: 'sdk_haiku', output_response: 'Calls within a call', total_tokens: 15, token_usage: { input_tokens: 9, output_tokens: 6, total_tokens: 15 },
  }, 'of an agent of @openai/agents too');
  t.equal((await send(sdk.url, '/logs')).json['total'], 1, 'and nothing of the other agent');
  t.strictSame(await sdk.end('SIGTERM'), { code: 0, signal: null });
}));

t.test('no secret of a request is anywhere', (t) => eachDatabase(t, async (t, database) => {
  const model = await startModelServer();
  t.teardown(() => model.close());
  const server = await serveLogging(t, 'scripted', database, { env: { OPENAI_BASE_URL: model.url, OPENAI_API_KEY: 'sk-of-the-server', LOG_LEVEL: 'debug' } });
  await connected(server);
  const secrets = { GITHUB_TOKEN: 'ghp_canary/of"the\\header', OPENAI_API_KEY: 'sk-canary-of-the-body' };
  const { token } = await mint(server, { scopes: ['chat'], user_id: 'ada' });
  const other = (await mint(server, { scopes: ['chat'] })).token;
  const quoting = `${token} ${other} ${secrets.GITHUB_TOKEN} ${secrets.OPENAI_API_KEY}`;
  const headers = { ...bearer(token), 'GITHUB-TOKEN': secrets.GITHUB_TOKEN, referer: `http://a.test/page?key=${token}`, cookie: 'canary=of-the-cookie', 'user-agent': quoting };
  const ids: string[] = [];
  const ask = async (message: string): Promise<Json> => {
    const id = randomUUID();
    ids.push(id);
    return (await chat(server.url, { message, interaction_id: id, env: { OPENAI_API_KEY: secrets.OPENAI_API_KEY } }, headers)).json;
  };
  t.match(await ask(`${quoting} ${directed({ echo: 'body' })}`), { response: /ghp_canary/ }, 'the answer has it');
  t.match(await ask(`${quoting} ${directed({ echo: 'authorization' })}`), { response: /sk-canary/ });
  await ask(`${quoting} ${directed({ fail: { status: 400, message: `no ${quoting}` } })}`);
  const cut = await stream(server.url, { message: `say ${quoting} ${directed({ text: quoting, delayMs: 1, stall: 3 })}`, env: { OPENAI_API_KEY: secrets.OPENAI_API_KEY } }, headers);
  await cut.until('text');
  cut.close();
  for (const id of ids) t.match(await rowOf(server, id), { user_id: 'ada', input_message: /\*\*\*/, request_headers: { 'user-agent': '*** *** *** ***', referer: 'http://a.test/page' } });
  const kept = await everythingKept(database, server);
  t.match(kept, '@model', 'what is looked through holds the messages');
  const wanted = [token, token.split('_')[2], other.split('_')[2], 'ghp_canary', 'sk-canary', 'of-the-cookie', 'sk-of-the-server'];
  for (const secret of wanted) t.notOk(kept.includes(String(secret)) || server.output.stderr.includes(String(secret)), String(secret).slice(0, 10));
  t.strictSame(await server.end('SIGTERM'), { code: 0, signal: null });
  t.notMatch(server.output.stderr, /open-sesame|canary|oas_[^_]+_/);
}));

t.test('figures only', (t) => eachDatabase(t, async (t, database) => {
  const server = await serveLogging(t, 'clerk', database, { env: { LOG_CONTENT: 'false' } });
  await connected(server);
  const { json } = await chatForm(server.url, ['message', 'say canary one'], ['files', { filename: 'canary.txt', content: 'canary two' }]);
  t.match(await rowOf(server, String(json['interaction_id'])), { status: 'success', input_message: null, output_response: null, files: null, endpoint: '/chat/with-files' });
  t.match(await asked(server, { message: 'say a\nfail canary three' }), { status: 'error', error_code: 'agent_failed', error_message: /./, input_message: null, output_response: null });
  const kept = await everythingKept(database, server);
  t.match(kept, 'agent_failed');
  t.notMatch(kept, 'canary');
  t.strictSame(await server.end('SIGTERM'), { code: 0, signal: null });
}));

/** All bytes of the log: the spool and the database with its queue. */
async function everythingKept({ postgres }: LogDatabase, { dataDir }: LoggingServer): Promise<string> {
  const spool = (await readdir(join(dataDir, 'spool'))).map((name) => join(dataDir, 'spool', name));
  const files = postgres === null ? [...spool, join(dataDir, 'logs.db'), join(dataDir, 'logs.db-wal')] : spool;
  // What has been shipped goes meanwhile.
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return '';
  })));
  if (postgres !== null) {
    for (const table of ['chat_logs', 'chat_logs_queue.job']) texts.push(...(await postgres.query(`SELECT r::text AS text FROM ${table} r`)).map(({ text }) => text as string));
  }
  return texts.join('\n');
}

nothingIsLeft(t);
