// The launcher: the server's process may die of anything, and no connection is refused.
import { execFileSync } from 'node:child_process';
import { Agent } from 'node:http';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { openDataDirectory } from '../supervisor/data_directory.ts';
import { within } from './helpers/best_of.ts';
import { chat, send, stream } from './helpers/http_client.ts';
import { LAUNCHER, PROJECT, runCommand, spawnProcess, startServer, type StartedServer } from './helpers/process.ts';
import { descendantsOf, isAlive } from './helpers/processes.ts';
import { adminTokenOf, bearer } from './helpers/tokens.ts';
import { waitFor } from './helpers/wait_for.ts';

/** ROUNDS=20 is the long run. */
const ROUNDS = Number(process.env['ROUNDS'] ?? 5);
const MORE_ROUNDS = 5;
const CLIENTS = 10;
const AWAY_MS = 1000;

interface Launched extends StartedServer {
  /** Of the supervisor that serves now. */
  supervisor(): Promise<number>;
}

async function launch(t: Test, env: Readonly<Record<string, string>> = {}): Promise<Launched> {
  const args = ['--config-root', 'test/fixtures', '--host', '127.0.0.1', '--workers', '1'];
  const server = await startServer({ agent: 'puppet', args, env: { LOG_LEVEL: 'warn', ...env }, launcher: true });
  t.teardown(() => server.stop());
  const supervisor = async (): Promise<number> => (JSON.parse(await readFile(join(server.dataDir, 'server.json'), 'utf8')) as { supervisor_pid: number }).supervisor_pid;
  return { ...server, supervisor };
}

interface Clients {
  readonly refused: string[];
  /** Requests that were under way when the process died. */
  cut: number;
  whole: number;
  slowestMs: number;
  stop(): Promise<void>;
}

/** Clients with a new connection for each chat, which never ask twice. */
function startClients(url: string, count: number): Clients {
  let isOver = false;
  const clients: Clients = { refused: [], cut: 0, whole: 0, slowestMs: 0, stop: async () => undefined };
  const run = async (): Promise<void> => {
    while (!isOver) {
      const began = performance.now();
      try {
        const { status, text } = await chat(url, { message: 'say hi' });
        if (status === 200) clients.whole += 1;
        else clients.refused.push(`${status} ${text}`);
      } catch (error) {
        const { code = '', message } = error as NodeJS.ErrnoException;
        if (code === 'ECONNRESET' || message === 'aborted') clients.cut += 1;
        else clients.refused.push(`${code} ${message}`);
      }
      clients.slowestMs = Math.max(clients.slowestMs, performance.now() - began);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const running = Promise.all(Array.from({ length: count }, run));
  return Object.assign(clients, {
    async stop() {
      isOver = true;
      await running;
    },
  });
}

t.test(`the supervisor is killed ${ROUNDS} times under load`, { timeout: 60_000 + ROUNDS * 10_000 }, async (t) => {
  const server = await launch(t);
  const clients = startClients(server.url, CLIENTS);
  const awayMs: number[] = [];
  const isInTime = () => awayMs.some((ms) => ms <= AWAY_MS);
  const die = async (): Promise<void> => {
    // A supervisor that dies as soon as it is there is started later and later.
    await new Promise((resolve) => setTimeout(resolve, 2100));
    const pid = await server.supervisor();
    const killedAt = performance.now();
    process.kill(pid, 'SIGKILL');
    // What it had taken dies with it; from then on nothing may.
    await waitFor('its death', () => !isAlive(pid));
    const { status } = await chat(server.url, { message: 'say hi' });
    awayMs.push(performance.now() - killedAt);
    t.equal(status, 200);
    await waitFor('another supervisor', async () => (await server.supervisor().catch(() => pid)) !== pid);
  };
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = clients.whole;
    await waitFor('some answers', () => clients.whole > before + 100);
    await die();
  }
  await clients.stop();
  // On a machine whose cores others use as well, the clients of this test may be what takes the time.
  for (let more = 0; more < MORE_ROUNDS && !isInTime(); more += 1) await die();
  t.strictSame(clients.refused, [], `${clients.whole} whole, ${clients.cut} cut by a death, slowest ${Math.round(clients.slowestMs)} ms`);
  t.ok(clients.cut <= CLIENTS * ROUNDS, 'what waited for the next supervisor was not cut');
  t.equal(server.output.stderr.match(/ended with SIGKILL; it is started again/g)?.length, awayMs.length);
  t.equal((await send(server.url, '/ready')).status, 200);
  within(t, 'a chat after a death', AWAY_MS, awayMs);
  t.strictSame(await server.stop(), { code: 0, signal: null });
});

t.test('what was under way ends, and sessions and tokens are still there', async (t) => {
  const server = await launch(t);
  await chat(server.url, { message: 'say one', session_id: 's' });
  const hung = await stream(server.url, { message: 'say on\nhang' });
  await hung.until('text');
  process.kill(await server.supervisor(), 'SIGKILL');
  await hung.ended;
  const { json } = await chat(server.url, { message: 'history', session_id: 's' });
  t.match(json['response'], 'say one');
  t.strictSame(await server.stop(), { code: 0, signal: null });
});

t.test('signals go through it', async (t) => {
  const server = await launch(t);
  t.not(await server.supervisor(), server.process.pid);
  server.process.kill('SIGHUP');
  await waitFor('a reload', async () => (await send(server.url, '/agent/info')).json['generation'] === 2);
  const running = await stream(server.url, { message: 'hold it' });
  await running.until('start');
  server.process.kill('SIGTERM');
  await waitFor('the end of accepting', () => send(server.url, '/health').then(() => false, () => true));
  t.ok(isAlive(server.process.pid as number), 'what runs may finish');
  running.close();
  t.strictSame(await server.exited, { code: 0, signal: null });
});

t.test('POST /kill is an end, and no death', async (t) => {
  const server = await launch(t);
  const pid = await server.supervisor();
  t.equal((await send(server.url, '/kill', { method: 'POST', headers: bearer(await adminTokenOf(server)) })).status, 200);
  t.strictSame(await server.exited, { code: 0, signal: null });
  t.notOk(isAlive(pid));
});

t.test('a supervisor that does not answer ends all the same', async (t) => {
  const server = await launch(t);
  const pid = await server.supervisor();
  process.kill(pid, 'SIGSTOP');
  server.process.kill('SIGQUIT');
  t.strictSame(await server.exited, { code: 0, signal: null });
  await waitFor('the supervisor to be gone', () => !isAlive(pid));
});

t.test('a second INT ends it at once, whatever still runs', async (t) => {
  const server = await launch(t);
  const pid = await server.supervisor();
  const running = await stream(server.url, { message: 'deaf' });
  await running.until('start');
  server.process.kill('SIGINT');
  await waitFor('the end of accepting', () => send(server.url, '/health').then(() => false, () => true));
  t.ok(isAlive(pid), 'what runs may finish');
  await waitFor('an INT that counts as the second', () => server.process.exitCode !== null || (server.process.kill('SIGINT'), false));
  t.strictSame(await server.exited, { code: 0, signal: null });
  t.notOk(isAlive(pid));
  t.match(await running.ended, 'shutting_down');
});

t.test('without its launcher the supervisor finishes what it has, and ends', async (t) => {
  const server = await launch(t);
  const pid = await server.supervisor();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  const running = await stream(server.url, { message: 'hold it' });
  await running.until('start');
  await send(server.url, '/health', { agent });
  server.process.kill('SIGKILL');
  await waitFor('the end of accepting', () => send(server.url, '/health').then(() => false, () => true));
  const next = createServer().listen(Number(new URL(server.url).port), '127.0.0.1');
  await once(next, 'listening');
  next.close();
  t.ok(isAlive(pid), 'the port is free before all is done');
  t.equal((await send(server.url, '/chat', { method: 'POST', body: { message: 'release it' }, agent })).status, 200);
  t.match(await running.ended, /\[DONE\]/);
  await waitFor('the supervisor to be gone', () => !isAlive(pid));
  (await openDataDirectory(server.dataDir)).close();
});

const canUnshare = (): boolean => {
  try {
    return execFileSync('unshare', ['--pid', '--fork', 'echo', 'yes'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }) === 'yes\n';
  } catch {
    return false;
  }
};

t.test('as the first process of a container it starts the supervisor again, and ends by TERM', canUnshare() ? {} : { skip: 'unshare(1) may not make a namespace here' }, async (t) => {
  const words = ['puppet', '--config-root', 'test/fixtures', '--host', '127.0.0.1', '--port', '0', '--workers', '1', '--data-dir', t.testdir()];
  const command = ['--pid', '--fork', '--kill-child=SIGKILL', process.execPath, LAUNCHER, ...words];
  const { process: outer, output, exited } = spawnProcess('unshare', command, { launcher: true, env: { LOG_LEVEL: 'warn' } });
  t.teardown(() => outer.kill('SIGKILL'));
  const url = await waitFor('the ready line', () => / ready on (http:\S+)/.exec(output.stdout)?.[1], 30_000);
  const [first, supervisor] = descendantsOf(outer.pid as number) as [number, number];
  t.match(await readFile(`/proc/${first}/status`, 'utf8'), /^NSpid:\t\d+\t1$/m);
  process.kill(supervisor, 'SIGKILL');
  await waitFor('its death', () => !isAlive(supervisor));
  t.equal((await chat(url, { message: 'say hi' })).status, 200);
  process.kill(first, 'SIGTERM');
  t.strictSame(await exited, { code: 0, signal: null });
  t.notOk(isAlive(first));
});

t.test('what keeps it from starting is told once, with its exit code', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.teardown(() => taken.close());
  const { port } = taken.address() as { port: number };
  const options = { launcher: true, cwd: PROJECT } as const;
  const words = ['--config-root', 'test/fixtures', '--host', '127.0.0.1', '--workers', '1', '--data-dir', t.testdir()];
  t.match(await runCommand(['puppet', ...words, '--port', String(port)], options), { code: 1, stderr: new RegExp(`^oai-agent-server: port ${port} of 127\\.0\\.0\\.1 is in use\n$`) });
  t.match(await runCommand(['nobody', ...words], options), { code: 2, stderr: /^oai-agent-server: no agent nobody/ });
  t.match(await runCommand(['puppet', ...words], { ...options, env: { CHAT_TIMEOUT_SECONDS: 'soon' } }), { code: 78, stderr: /CHAT_TIMEOUT_SECONDS/ });
  t.match(await runCommand(['--help'], options), { code: 0, stdout: /serve/ });
});
