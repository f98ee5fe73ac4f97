// The trial of a version in a process of its own: what it tells, what it knows, and that nothing of it is left, however it ends.
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t, { type Test } from 'tap';
import { tryVersion, type Tried } from '../../../supervisor/workers/trial.ts';
import { makeFolder } from '../../helpers/folder.ts';
import { chat, send } from '../../helpers/http_client.ts';
import { nothingIsLeft } from '../../helpers/leftovers.ts';
import { isAlive } from '../../helpers/processes.ts';
import { serveReleases } from '../../helpers/releases.ts';
import { waitFor } from '../../helpers/wait_for.ts';
import { settingsOf } from '../../helpers/worker_settings.ts';

const BOOT_MS = 20_000;
const GENERATOR = 'export default async function* () { yield "hi"; }\n';
/** Writes the id of the process, and of one that it starts in its own group and one that leads another, each to a file that is named for it. */
const TELLS_PIDS = `
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
const tell = (pid) => writeFileSync(new URL('pid.' + pid, import.meta.url), '');
tell(process.pid);
for (const detached of [false, true]) tell(spawn('sleep', ['1000'], { detached, stdio: 'ignore' }).pid);
`;
const BLOCKS = "import { execSync } from 'node:child_process';\nexecSync('sleep 1000');\n";
/** As V8 does that finds no memory, where the thread's own cap is not seen in time. */
const ABORTS = "process.kill(process.pid, 'SIGABRT');\nfor (;;);\n";

interface Tryable {
  readonly folder: string;
  tryIt(options?: { readonly bootTimeoutMs?: number; readonly signal?: AbortSignal }): Promise<Tried>;
  /** Of the processes that the version has told of. */
  pids(): Promise<readonly number[]>;
}

async function create(t: Test, text: string): Promise<Tryable> {
  const folder = await makeFolder(t, { 'agent.mjs': text });
  const { modules: _, ...settings } = settingsOf('', { agentFile: join(folder, 'agent.mjs'), heapMb: 64, baseEnv: { PATH: process.env['PATH'] ?? '', FOR_AGENTS: 'x' } });
  return {
    folder,
    tryIt: ({ bootTimeoutMs = BOOT_MS, signal = new AbortController().signal } = {}) => tryVersion({ settings, bootTimeoutMs }, '', signal),
    pids: () => pidsIn(folder),
  };
}

const pidsIn = async (folder: string): Promise<readonly number[]> => (await readdir(folder)).flatMap((name) => (name.startsWith('pid.') ? [Number(name.slice(4))] : []));

const areGone = (pids: readonly number[]): Promise<unknown> => waitFor('the end of its processes', () => pids.length > 0 && !pids.some(isAlive));

t.test('one that loads, one that throws, one that does not come to an end', async (t) => {
  const whole = await create(t, TELLS_PIDS + GENERATOR);
  const { failure, files, modules } = await whole.tryIt();
  t.strictSame([failure, files], [null, [join(whole.folder, 'agent.mjs')]]);
  t.strictSame(modules.read.map(({ url, bytes }) => [url, Buffer.from(bytes).toString()]), [[pathToFileURL(join(whole.folder, 'agent.mjs')).href, TELLS_PIDS + GENERATOR]]);
  await areGone(await whole.pids());
  const broken = await create(t, `\nthrow new Error('no luck');\n${GENERATOR}`);
  t.match(await broken.tryIt(), { failure: { message: 'Error: no luck', file: join(broken.folder, 'agent.mjs'), line: 2 } });
  const blocking = await create(t, TELLS_PIDS + BLOCKS + GENERATOR);
  t.match(await blocking.tryIt({ bootTimeoutMs: 3000 }), { failure: { message: 'the agent did not load within 3 s (BOOT_TIMEOUT_SECONDS)' } });
  await areGone(await blocking.pids());
});

t.test('one that aborts the process, and one that kills it', async (t) => {
  const aborting = await create(t, ABORTS + GENERATOR);
  t.match(await aborting.tryIt(), {
    failure: { message: 'the version ended the process that tried it (SIGABRT), as running out of memory does', file: join(aborting.folder, 'agent.mjs'), line: null },
  });
  const killing = await create(t, `process.kill(process.pid, 'SIGSEGV');\nfor (;;);\n${GENERATOR}`);
  t.match(await killing.tryIt(), { failure: { message: 'the version ended the process that tried it (SIGSEGV)' } });
});

t.test('it has the environment of workers only, and is the first that the kernel kills for want of memory', async (t) => {
  process.env['REDIS_PASSWORD'] = 'a-secret';
  t.teardown(() => delete process.env['REDIS_PASSWORD']);
  const { folder, tryIt } = await create(t, `
import { readFileSync, writeFileSync } from 'node:fs';
for (const name of ['environ', 'oom_score_adj']) writeFileSync(new URL(name, import.meta.url), readFileSync('/proc/self/' + name));
console.log('nobody sees this');
${GENERATOR}`);
  t.match(await tryIt(), { failure: null });
  const environment = await readFile(join(folder, 'environ'), 'utf8');
  t.match(environment, /FOR_AGENTS=x/);
  t.notMatch(environment, /REDIS_PASSWORD|a-secret/);
  t.equal(await readFile(join(folder, 'oom_score_adj'), 'utf8'), '1000\n');
});

t.test('one that is given up ends with what it has started, and is not waited for', async (t) => {
  const { tryIt, pids } = await create(t, TELLS_PIDS + BLOCKS + GENERATOR);
  const giving = new AbortController();
  const trying = tryIt({ signal: giving.signal });
  trying.catch(() => undefined);
  await waitFor('its processes', async () => (await pids()).length === 3, 20_000);
  giving.abort();
  await t.rejects(trying, { name: 'AbortError' });
  await areGone(await pids());
  await t.rejects(tryIt({ signal: giving.signal }), { name: 'AbortError' });
});

t.test('what was tried is what serves, whatever is on disk by then', async (t) => {
  const { server, folder, post, put } = await serveReleases(t, { workers: 2 });
  const words = join(folder, 'agents', 'words.mjs');
  await writeFile(words, "export const WORDS = 'tried';\n");
  await put(`
import { writeFileSync } from 'node:fs';
import { WORDS } from './words.mjs';
writeFileSync(${JSON.stringify(words)}, "export const WORDS = 'not tried';\\n");
export default async function* () { yield WORDS; }
`);
  t.match(await post('/restart'), { status: 200 });
  const said = await Promise.all(Array.from({ length: 10 }, async () => (await chat(server.url, { message: '0' })).json['response']));
  t.strictSame(new Set(said), new Set(['tried']));
});

t.test('it does not outlive the server', async (t) => {
  const { server, folder, post, put } = await serveReleases(t, { workers: 1 });
  await put(TELLS_PIDS + BLOCKS + GENERATOR);
  post('/restart').catch(() => undefined);
  const pids = (): Promise<readonly number[]> => pidsIn(join(folder, 'agents'));
  await waitFor('its processes', async () => (await pids()).length === 3, 20_000);
  t.equal((await chat(server.url, { message: '0' })).status, 200, 'the old version answers');
  t.match((await send(server.url, '/status')).json, { status: 'restarting' });
  server.process.kill('SIGKILL');
  await server.exited;
  await areGone(await pids());
});

nothingIsLeft(t);
