// `status`, `restart` and `kill` with the real server: its state, a reload that does and one that does not, and its end whatever it does.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { stream } from './helpers/http_client.ts';
import { nothingIsLeft } from './helpers/leftovers.ts';
import { runCommand, type StartedServer } from './helpers/process.ts';
import { descendantsOf, isAlive } from './helpers/processes.ts';
import { serveReleases, versioned } from './helpers/releases.ts';
import { serve } from './helpers/serve.ts';
import { adminTokenOf, bearer } from './helpers/tokens.ts';
import { waitFor } from './helpers/wait_for.ts';

const run = (command: string, { dataDir }: StartedServer, ...words: string[]) => runCommand([command, '--data-dir', dataDir, ...words]);

t.test('status and restart', async (t) => {
  const { server, put, write } = await serveReleases(t, { workers: 1, env: { FORCE_AUTH: 'true' } });
  const { code, stdout, stderr } = await run('status', server);
  t.strictSame([code, stderr], [0, '']);
  const worker = /^ +\d+ +1 +ready +0 +0 +\d+ +[\d.]+$/m;
  for (const line of [/^agent +release$/m, /^status +running$/m, /^generation +1$/m, worker, /^last reload +none$/m]) t.match(stdout, line);
  const unknown = await runCommand(['status', server.url]);
  t.match(unknown, { code: 1, stdout: '', stderr: /refuses: .*: name its data directory with --data-dir, or set OAI_ADMIN_TOKEN\n$/ });

  const running = await stream(server.url, { message: '800' }, bearer(await adminTokenOf(server)));
  await running.until('text');
  await put(versioned('v2'));
  await write('.env', 'KEEP_ALIVE_SECONDS=9\n');
  t.match(await run('restart', server), {
    code: 0,
    stdout: /^release: generation 2 serves after \d+ ms; 1 interaction goes on with an older one; only a new start takes over KEEP_ALIVE_SECONDS\n$/,
    stderr: '',
  });
  await running.ended;
  await put('export default {');
  const failed = await run('restart', server);
  t.match(failed, { code: 1, stdout: '', stderr: /^oai-agent-server: \S+ refuses: agents\/release\.mjs:1: .+ \(RELOAD_FAILED\)\n$/ });
  const after = JSON.parse((await run('status', server, '--json')).stdout) as unknown;
  t.match(after, { agent_name: 'release', generation: 2, last_reload: { ok: false, error: /^agents\/release\.mjs:1: / } });
});

t.test('kill: by the route, whatever the workers do', async (t) => {
  const server = await serve(t, 'puppet');
  await (await stream(server.url, { message: 'say on\ndeaf' })).until('text');
  const { code, stdout, stderr } = await run('kill', server);
  t.strictSame([code, stderr], [0, '']);
  t.match(stdout, new RegExp(`^the server at ${server.url} \\(pid ${server.process.pid}\\) is gone after \\d+ ms: POST /kill\n$`));
  t.strictSame(await server.exited, { code: 0, signal: null });
  t.match(await run('kill', server), { code: 1, stderr: /no server runs in/ });
});

t.test('kill: by QUIT, where a launcher waits to start a version again that does not load', async (t) => {
  const { server, put } = await serveReleases(t, { workers: 1, launcher: true });
  const supervisor = (JSON.parse(await readFile(join(server.dataDir, 'server.json'), 'utf8')) as { supervisor_pid: number }).supervisor_pid;
  await put('export default {');
  process.kill(supervisor, 'SIGKILL');
  await waitFor('another try', () => /is started again in \d/.test(server.output.stderr));
  t.match(await run('kill', server), { code: 0, stdout: new RegExp(`\\(pid ${server.process.pid}\\) is gone after \\d+ ms: SIGQUIT, as `) });
  t.match(await server.exited, { code: 0 });
});

t.test('kill: by QUIT, where the server has no such route or listens no more', async (t) => {
  const server = await serve(t, 'puppet', { args: ['--allowed-modes', 'chat'] });
  const hanging = await stream(server.url, { message: 'say on\ndeaf' });
  await hanging.until('text');
  server.process.kill('SIGTERM');
  await waitFor('the end of listening', () => fetch(`${server.url}/health`, { headers: { connection: 'close' } }).then(() => false, () => true));
  t.match(await run('kill', server), { code: 0, stdout: /is gone after \d+ ms: SIGQUIT, as cannot reach .*ECONNREFUSED\n$/ });
  t.match(await server.exited, { code: 0 });
});

t.test('kill: by KILL, where nothing in it goes on', async (t) => {
  const server = await serve(t, 'puppet');
  const pid = server.process.pid as number;
  const all = [pid, ...descendantsOf(pid)];
  for (const each of all) process.kill(each, 'SIGSTOP');
  const { code, stdout } = await run('kill', server);
  t.equal(code, 0);
  t.match(stdout, /is gone after \d+ ms: SIGKILL, as \S+ has not answered within 1 s, and SIGQUIT has not ended it within 3 s\n$/);
  t.strictSame(await server.exited, { code: null, signal: 'SIGKILL' });
  t.strictSame(all.filter(isAlive), [], 'nothing of it is left');
});

nothingIsLeft(t);
