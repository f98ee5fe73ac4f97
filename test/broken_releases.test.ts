// Versions that are broken, each in its own way, put in place under load: nobody notices, and the operator is told why.
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { startCountedLoad } from './helpers/counted_load.ts';
import { chat, send, type Json } from './helpers/http_client.ts';
import { answerOf, serveReleases, versioned, type Releases } from './helpers/releases.ts';
import { waitFor } from './helpers/wait_for.ts';

const LOAD = { streams: 10, keptAlive: 5, fresh: 5, pieceMs: 20 };
const BOOT_S = 6;

interface Broken {
  readonly kind: string;
  /** Puts it in place. */
  put(releases: Releases): Promise<void>;
  readonly reason: RegExp;
}

const broken: readonly Broken[] = [
  { kind: 'a syntax error', put: ({ put }) => put(`${versioned('v2')}\nexport const = 1;\n`), reason: /agents\/release\.mjs.*(Unexpected token|SyntaxError)/ },
  { kind: 'an import that throws', put: ({ put }) => put(versioned('v2', 'throw new Error("no such luck");')), reason: /no such luck/ },
  { kind: 'an import that never ends', put: ({ put }) => put(versioned('v2', 'await new Promise(() => setInterval(() => {}, 1000));')), reason: /did not load within 6 s \(BOOT_TIMEOUT_SECONDS\)/ },
  { kind: 'an import that blocks', put: ({ put }) => put(versioned('v2', 'for (;;);')), reason: /did not load within 6 s/ },
  { kind: 'an import that exits', put: ({ put }) => put(versioned('v2', 'process.exit(3);')), reason: /process\.exit/ },
  { kind: 'a missing module', put: ({ put }) => put(versioned('v2', "import './nowhere.mjs';")), reason: /agents\/release\.mjs: Cannot find module '\.\/nowhere\.mjs'/ },
  { kind: 'a missing file', put: ({ folder }) => rm(join(folder, 'agents/release.mjs')), reason: /no agent release/ },
  { kind: 'an import that runs out of memory', put: ({ put }) => put(versioned('v2', 'const all = []; for (;;) all.push({ n: all.length });')), reason: /memory|heap|did not load within/i },
  { kind: 'an import that aborts its process for want of memory', put: ({ put }) => put(versioned('v2', 'const all = new Map(); for (let i = 0; ; i += 1) all.set(i, { i });')), reason: /ended the process that tried it \(SIGABRT\), as running out of memory does|memory limit/ },
  { kind: 'an import that ends its process', put: ({ put }) => put(versioned('v2', "process.kill(process.pid, 'SIGABRT'); for (;;);")), reason: /agents\/release\.mjs: the version ended the process that tried it \(SIGABRT\)/ },
  { kind: 'a definition that is no YAML', put: ({ write }) => write('agents/release.yaml', 'name: release\ntools: [\n'), reason: /agents\/release\.yaml:\d+: / },
  { kind: 'a definition with a key that there is not', put: ({ write }) => write('agents/release.yaml', 'name: release\nmodel: { provider: offline }\ninstructions: none\n'), reason: /agents\/release\.yaml:3: .*instructions/ },
  { kind: 'an agent that fails its first use', put: ({ put }) => put(`export default { name: 'release', smoke_test: '0', async *chat() { throw new Error('not today'); } };`), reason: /smoke_test.*not today|not today/ },
  { kind: 'an .env that is no .env', put: ({ write }) => write('.env', 'what is this'), reason: /\.env:1: expected NAME=value/ },
  { kind: 'a value that is none', put: ({ write }) => write('.env', 'CHAT_TIMEOUT_SECONDS=soon'), reason: /CHAT_TIMEOUT_SECONDS: expected/ },
];

t.test('a module', { timeout: 180_000 }, async (t) => {
  const releases = await serveReleases(t, { launcher: true, args: ['--worker-heap-mb', '96'], env: { BOOT_TIMEOUT_SECONDS: String(BOOT_S), LOG_LEVEL: 'warn' } });
  const { server, folder, post, put, write } = releases;
  const supervisor = async (): Promise<unknown> => (JSON.parse(await readFile(join(server.dataDir, 'server.json'), 'utf8')) as Json)['supervisor_pid'];
  const pid = await supervisor();
  const load = startCountedLoad(server.url, LOAD);
  for (const { kind, put: putBroken, reason } of broken) {
    await t.test(kind, async (t) => {
      await putBroken(releases);
      const { status, json } = await post('/restart');
      t.match({ status, json }, { status: 500, json: { code: 'RELOAD_FAILED', detail: reason } });
      t.notMatch(String(json['detail']), releases.folder, 'no path of the machine');
      const { generation, status: state, last_reload: last } = (await send(server.url, '/status')).json;
      t.match({ generation, state, last }, { generation: 1, state: 'running', last: { ok: false, error: reason } });
      await waitFor('the reason in the log', () => reason.test(server.output.stderr));
      t.equal((await chat(server.url, { message: '0' })).json['response'], answerOf('v1'), 'the old version answers');
      await put(versioned('v1'));
      await rm(join(folder, 'agents/release.yaml'), { force: true });
      await write('.env', '');
    });
  }
  const whole = await load.stop();
  t.strictSame(load.tally.failures.slice(0, 5), [], `${whole} answers, ${load.tally.failures.length} failed`);
  t.strictSame([...load.tally.answers.keys()], ['v1']);
  t.strictSame([await supervisor(), server.output.stderr.includes('started again')], [pid, false], 'the server is the same process');
  await waitFor('the workers of broken versions to be gone', async () => ((await send(server.url, '/status')).json['workers'] as Json[]).length === 2);
  await put(versioned('v3'));
  t.match(await post('/restart'), { status: 200, json: { generation: 2 } }, 'and one that is whole takes over');
});

t.test('what is on disk and does not serve is nothing that a worker is replaced with', async (t) => {
  const { server, post, put } = await serveReleases(t, { workers: 1 });
  const workerId = async () => ((await send(server.url, '/status')).json['workers'] as Json[]).find(({ state }) => state === 'ready')?.['id'];
  const answersAfterStray = async (): Promise<unknown[]> => {
    const before = await workerId();
    t.match((await chat(server.url, { message: 'stray' })).json, { code: 'AGENT_FAILED' });
    await waitFor('the replacement', async () => ((await workerId()) ?? before) !== before);
    return Promise.all(Array.from({ length: 4 }, async () => (await chat(server.url, { message: '1' })).json['response']));
  };
  const old = Array.from({ length: 4 }, () => answerOf('v1'));
  await put(versioned('v2'));
  t.strictSame(await answersAfterStray(), old, 'a version that nobody has asked for');
  await put('export const = 1;');
  t.equal((await post('/restart')).status, 500);
  t.strictSame(await answersAfterStray(), old, 'a version that was refused');
  t.match((await send(server.url, '/status')).json, { generation: 1, last_reload: { ok: false } });
  await put(versioned('v3'));
  t.equal((await post('/restart')).status, 200);
  t.equal((await chat(server.url, { message: '1' })).json['response'], answerOf('v3'));
});

t.test('a definition', async (t) => {
  const whole = 'name: release\nmodel: { provider: offline }\nsystem_prompt: hi\n';
  const releases = await serveReleases(t, { files: { 'agents/release.yaml': whole }, workers: 1 });
  for (const [text, reason] of [
    [`${whole}tools: [\n`, /agents\/release\.yaml:\d+: /],
    [`${whole}instructions: none\n`, /instructions/],
    [`${whole}tools: [{ module: ./nowhere.ts }]\n`, /nowhere/],
  ] as const) {
    await releases.write('agents/release.yaml', text);
    t.match(await releases.post('/restart'), { status: 500, json: { detail: reason } });
    t.equal((await chat(releases.server.url, { message: 'hi' })).status, 200);
  }
  await releases.write('agents/release.yaml', whole);
  t.equal((await releases.post('/agent/initialize')).status, 200);
});
