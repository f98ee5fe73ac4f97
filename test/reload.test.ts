// Reload, as a caller and an operator see it: what changes, what does not, and what a version that is broken does.
import t from 'tap';
import { chat, send, stream, type Json } from './helpers/http_client.ts';
import { answerOf, serveReleases, versioned, type Releases } from './helpers/releases.ts';
import { waitFor } from './helpers/wait_for.ts';

const answered = async ({ server }: Releases, message = '0'): Promise<unknown> => (await chat(server.url, { message })).json['response'];
const statusOf = async ({ server }: Releases): Promise<Json> => (await send(server.url, '/status')).json;

t.test('what a reload reads anew', async (t) => {
  const releases = await serveReleases(t, { files: { '.env': 'MOOD=calm\nMAX_MESSAGE_SIZE_BYTES=1000\n' } });
  const { server } = releases;
  t.match(await statusOf(releases), { status: 'running', generation: 1, last_reload: null });
  t.equal(await answered(releases, 'env MOOD'), 'calm');

  await releases.put(versioned('v2'));
  await releases.write('.env', 'MOOD=glad\nMAX_MESSAGE_SIZE_BYTES=10\nKEEP_ALIVE_SECONDS=9\nSPOOL_MAX_MB=5\n');
  t.equal(await answered(releases), answerOf('v1'), 'nothing by itself');

  const initialized = await releases.post('/agent/initialize');
  t.strictSame([initialized.status, initialized.json], [200, { message: 'Agent initialized successfully', initialized: true, generation: 2 }]);
  t.equal(await answered(releases), answerOf('v2'), "the agent's files");
  t.equal(await answered(releases, 'env MOOD'), 'calm', 'and not .env');

  const running = await stream(server.url, { message: '800' });
  await running.until('text');
  await releases.put(versioned('v3'));
  const { status, json } = await releases.post('/restart');
  t.equal(status, 200);
  t.match(json, { message: 'Server restarted gracefully', agent: 'release', generation: 3, remaining_requests: 1, ms: Number });
  t.strictSame(json['needs_restart'], ['KEEP_ALIVE_SECONDS', 'SPOOL_MAX_MB']);
  await waitFor('the same in the log', () => server.output.stderr.includes('"needs_restart":["KEEP_ALIVE_SECONDS","SPOOL_MAX_MB"]'));
  t.equal(await answered(releases), answerOf('v3'));
  t.equal(await answered(releases, 'env MOOD'), 'glad', '.env too');
  t.equal((await chat(server.url, { message: 'x'.repeat(11) })).status, 413, 'and what of the configuration a reload takes over');
  const { workers, last_reload: last, generation } = await statusOf(releases) as { workers: Json[]; last_reload: Json; generation: number };
  t.equal(generation, 3);
  t.strictSame([...new Set(workers.map((worker) => `${worker['generation']} ${worker['state']}`))].sort(), ['2 draining', '3 ready']);
  t.match(last, { ok: true, at: /^\d{4}-/, error: null });

  await running.ended;
  t.equal(running.events.at(-1)?.content.content, answerOf('v2'), 'what ran has ended on the version that it began on');
  await waitFor('the old generation to end', async () => ((await statusOf(releases))['workers'] as Json[]).length === 2);
  t.match((await send(server.url, '/metrics')).text, /oai_reloads_total\{ok="true"\} 2/);
});

t.test('how long a version may take to load is what the server was started with', async (t) => {
  const releases = await serveReleases(t, { files: { '.env': 'BOOT_TIMEOUT_SECONDS=60\n' } });
  await releases.put(versioned('v2', 'await new Promise((resolve) => setTimeout(resolve, 1500));'));
  await releases.write('.env', 'BOOT_TIMEOUT_SECONDS=1\n');
  t.match(await releases.post('/restart'), { status: 200, json: { generation: 2, needs_restart: ['BOOT_TIMEOUT_SECONDS'] } });
});

t.test('SIGHUP is POST /restart', async (t) => {
  const releases = await serveReleases(t);
  await releases.put(versioned('v2'));
  releases.server.process.kill('SIGHUP');
  await waitFor('the new version', async () => (await answered(releases)) === answerOf('v2'));
  await waitFor('the word of it', async () => ((await statusOf(releases))['last_reload'] as Json | null)?.['ok'] === true);
});

t.test('one at a time, and one more: whoever asks meanwhile gets the newest', async (t) => {
  const releases = await serveReleases(t);
  await releases.put(versioned('v2', 'await new Promise((resolve) => setTimeout(resolve, 500));'));
  const first = releases.post('/restart');
  await waitFor('the first to be under way', async () => (await statusOf(releases))['status'] === 'restarting');
  await releases.put(versioned('v3'));
  const others = await Promise.all(Array.from({ length: 5 }, () => releases.post('/restart')));
  t.equal((await first).json['generation'], 2);
  t.strictSame(others.map(({ status, json }) => `${status} ${String(json['generation'])}`), Array(5).fill('200 3'));
  t.equal(await answered(releases), answerOf('v3'));
});

t.test('of old versions two may finish what they have, the oldest is cut', async (t) => {
  const releases = await serveReleases(t, { workers: 1 });
  const running = [];
  for (const version of ['v1', 'v2', 'v3', 'v4']) {
    const opened = await stream(releases.server.url, { message: '60000' });
    await opened.until('text');
    running.push(opened);
    if (version !== 'v4') t.equal((await releases.post('/restart')).status, 200);
  }
  const [first, ...others] = running;
  await first?.ended;
  t.match(first?.events.at(-1)?.content, { type: 'error', error: { code: 'shutting_down' } });
  for (const opened of others) t.notMatch(opened.text, 'shutting_down');
  t.equal((await statusOf(releases))['active_requests'], 3);
  for (const opened of running) opened.close();
});

t.test('versions that have nothing left count for nothing in that', async (t) => {
  const releases = await serveReleases(t, { workers: 1 });
  const running = [];
  for (const version of ['v1', 'v2', 'v3, idle', 'v4, idle', 'v5']) {
    if (!version.includes('idle')) {
      const opened = await stream(releases.server.url, { message: '60000' });
      await opened.until('text');
      running.push(opened);
    }
    if (version !== 'v5') t.equal((await releases.post('/restart')).status, 200);
  }
  t.equal(await answered(releases), answerOf('v1'));
  t.equal((await statusOf(releases))['active_requests'], 3);
  for (const opened of running) t.notMatch(opened.text, 'shutting_down');
  for (const opened of running) opened.close();
});

t.test('while it stops there is no reload: the one under way is given up', async (t) => {
  const releases = await serveReleases(t, { args: ['--drain-delay', '2'], env: { BOOT_TIMEOUT_SECONDS: '60' } });
  await releases.put(versioned('v2', 'await new Promise(() => setInterval(() => {}, 1000));'));
  const asked = releases.post('/restart');
  await waitFor('the reload', async () => (await statusOf(releases))['status'] === 'restarting');
  releases.server.process.kill('SIGTERM');
  t.match(await asked, { status: 409, json: { code: 'STOPPING' } });
  t.match(await releases.post('/restart'), { status: 409, json: { code: 'STOPPING' } });
  t.equal((await send(releases.server.url, '/ready')).status, 503, 'not ready');
  t.equal(await answered(releases), answerOf('v1'), 'but still accepting');
  t.strictSame(await releases.server.exited, { code: 0, signal: null });
});
