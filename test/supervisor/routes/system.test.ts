// What the server tells of itself: /health, /ready, /status, /metrics, /agent/info, /prompts, and never a path or a secret.
import t from 'tap';
import { chat, send, stream, type Json } from '../../helpers/http_client.ts';
import { PROJECT } from '../../helpers/process.ts';
import { directed, endsCleanly, serve, serveModel } from '../../helpers/serve.ts';
import { waitFor } from '../../helpers/wait_for.ts';

const server = await serveModel(t, 'scripted', { args: ['--workers', '2', '--concurrency', '3', '--queue', '7'] });
const quiet = await serve(t, 'quiet');
const { url } = server;

const json = async (path: string, base = url): Promise<Json> => (await send(base, path)).json;
const MODEL = { model_id: 'scripted-1', provider: 'openai' };
const OFFLINE = { model_id: 'offline', provider: 'offline' };

t.test('/health says that the process answers', async (t) => {
  const { status, json } = await send(url, '/health');
  t.strictSame({ status, json }, { status: 200, json: { status: 'healthy', agent: 'scripted' } });
});

t.test('/ready says whether it can take work, and names the model', async (t) => {
  const { status, json } = await send(url, '/ready');
  t.equal(status, 200);
  t.strictSame(json, { status: 'ready', checks: { workers: 'ok', token_store: 'ok', log_database: 'off', model: 'ok' }, model: MODEL });
  t.match((await send(quiet.url, '/ready')).json, { status: 'ready', checks: { model: 'off' }, model: OFFLINE });
});

t.test('/status shows what runs, and each worker', async (t) => {
  const idle = await json('/status');
  t.strictSame(Object.keys(idle), [
    'agent_name', 'status', 'is_shutting_down', 'uptime', 'active_requests', 'queued_requests', 'generation', 'version', 'node', 'model',
    'workers', 'mcps', 'logs',
    'store', 'last_reload',
  ]);
  t.match(idle, {
    agent_name: 'scripted', status: 'running', is_shutting_down: false, uptime: Number, active_requests: 0, queued_requests: 0, generation: 1,
    version: /^\d+\.\d+\.\d+/, node: process.version, model: MODEL, mcps: [], last_reload: null,
  });
  t.strictSame(idle['logs'], { enabled: false, backend: null, connected: false, spooled: 0, spool_bytes: 0, lost: 0, dead_letters: 0 });
  t.strictSame(idle['store'], { backend: 'embedded', connected: true });
  const workers = idle['workers'] as Json[];
  t.strictSame(workers.map(({ id, state }) => ({ id, state })), [{ id: 1, state: 'ready' }, { id: 2, state: 'ready' }]);
  for (const worker of workers) {
    t.strictSame(Object.keys(worker), ['id', 'generation', 'state', 'active', 'served', 'heap_mb', 'event_loop_lag_ms']);
    t.match(worker, { generation: 1, active: 0, served: Number, heap_mb: Number, event_loop_lag_ms: Number });
  }
  t.match(await json('/status', quiet.url), { model: OFFLINE });
});

t.test('/status counts what runs and what waits', async (t) => {
  const opened = [];
  for (let n = 0; n < 8; n += 1) opened.push(await stream(url, { message: directed({ words: 1000, delayMs: 20 }) }));
  const busy = await waitFor('six to run and two to wait', async () => {
    const status = await json('/status');
    return status['active_requests'] === 6 && status['queued_requests'] === 2 && status;
  });
  t.strictSame((busy['workers'] as Json[]).map(({ active }) => active), [3, 3]);
  for (const { close } of opened) close();
  await waitFor('nothing to run', async () => (await json('/status'))['active_requests'] === 0);
  t.match(await json('/status'), { queued_requests: 0 });
});

t.test('/agent/info says what the agent is', async (t) => {
  const info = await json('/agent/info');
  t.strictSame(info, {
    agent_name: 'scripted',
    description: 'Says what the scripted model says.',
    framework: 'declarative',
    model: MODEL,
    tools: [{ name: 'sized', description: 'Returns so many characters.' }],
    mcps: [],
    agents: [],
    prompts: 1,
    initialized: true,
    generation: 1,
    workers: 2,
    auth_enabled: true,
    request_isolation: true,
    limits: {
      max_message_size_bytes: 1_048_576, max_files: 10, max_file_bytes: 26_214_400, max_upload_bytes: 104_857_600,
      max_turns: 3, max_items: 200, concurrency: 3, queue: 7, chat_timeout_seconds: 600,
    },
    version: info['version'],
  });
  t.match(info['version'], /^\d+\.\d+\.\d+/);
});

t.test('/prompts lists the prompts', async (t) => {
  t.strictSame(await json('/prompts'), { total_prompts: 1, prompts: [{ name: 'greet', prompt: 'Say hello.' }] });
  t.strictSame(await json('/prompts', quiet.url), { total_prompts: 0, prompts: [] });
});

t.test('/metrics is Prometheus text that counts', async (t) => {
  t.match((await send(url, '/metrics')).headers['content-type'], /^text\/plain; version=0\.0\.4/);
  const before = await metrics();
  await chat(url, { message: directed({ text: 'one two', usage: { input: 11, output: 5 } }) });
  await chat(url, { message: directed({ fail: { status: 401 } }) });
  const after = await metrics();
  const grown = (series: string) => (after.get(series) ?? 0) - (before.get(series) ?? 0);
  t.equal(grown('oai_interactions_total{status="success",code=""}'), 1);
  t.equal(grown('oai_interactions_total{status="error",code="model_auth_failed"}'), 1);
  t.equal(grown('oai_tokens_total{direction="input"}'), 11);
  t.equal(grown('oai_tokens_total{direction="output"}'), 5);
  t.equal(grown('oai_http_responses_total{method="POST",route="/chat",status="200"}'), 1);
  t.equal(grown('oai_http_responses_total{method="POST",route="/chat",status="502"}'), 1);
  t.equal(grown('oai_interaction_seconds_count'), 2);
  t.equal(after.get('oai_interactions_active'), 0);
  t.ok(after.has('process_cpu_seconds_total'));
  t.ok([...after.keys()].some((series) => series.startsWith('oai_worker_active{worker="1",generation="1",state="ready"}')));
});

t.test('a path that somebody made up is no series of its own', async (t) => {
  await send(url, '/made-up-by-a-scanner');
  t.notMatch([...(await metrics()).keys()].join('\n'), 'made-up');
});

/** Each series with its value; whatever the text format does not name is an error. */
async function metrics(): Promise<ReadonlyMap<string, number>> {
  const { text } = await send(url, '/metrics');
  const series = new Map<string, number>();
  for (const line of text.trimEnd().split('\n')) {
    if (line === '' || /^# (HELP|TYPE) \w+ ./.test(line)) continue;
    const [, name, value] = /^([a-z_:][a-z0-9_:]*(?:\{(?:\w+="[^"]*",?)*\})?) (-?[\d.e+-]+|NaN|[+-]Inf)$/i.exec(line) ?? [];
    if (name === undefined) throw new Error(`no line of Prometheus' format: ${line}`);
    series.set(name, Number(value));
  }
  return series;
}

t.test('none of them names a path or a secret', async (t) => {
  for (const path of ['/', '/health', '/ready', '/status', '/metrics', '/agent/info', '/prompts', '/openapi.json', '/docs']) {
    const { text, headers } = await send(url, path);
    for (const secret of [PROJECT, server.dataDir, 'sk-of-the-server', server.model.url, 'node_modules']) t.notMatch(text, secret, path);
    t.notOk('server' in headers || 'x-powered-by' in headers, path);
  }
});

endsCleanly(t, server, quiet);
