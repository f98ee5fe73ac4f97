// The data directory: one server at a time, for its user alone, and what it keeps across restarts.
import { chmod, mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { makeFolder } from '../helpers/folder.ts';
import { chat, send } from '../helpers/http_client.ts';
import { nothingIsLeft } from '../helpers/leftovers.ts';
import { LAUNCHER, runCommand, spawnProcess } from '../helpers/process.ts';
import { waitFor } from '../helpers/wait_for.ts';

const words = (dataDir: string) => [
  'serve', 'puppet', '--config-root', 'test/fixtures', '--host', '127.0.0.1', '--port', '0', '--workers', '1', '--data-dir', dataDir,
];
const read = (url: string) => send(url, '/chat/sessions/kept');

async function serveIn(t: Test, dataDir: string, env: Readonly<Record<string, string>> = {}) {
  const { process: child, output, exited } = spawnProcess(process.execPath, [LAUNCHER, ...words(dataDir)], { env });
  t.teardown(() => child.kill('SIGKILL'));
  const url = await waitFor('the ready line', () => / ready on (http:\S+)/.exec(output.stdout)?.[1], 30_000);
  const stop = (signal: NodeJS.Signals = 'SIGTERM') => {
    child.kill(signal);
    return exited;
  };
  return { url, pid: child.pid, stop };
}

t.test('it is made for its user alone, and says where the server is', async (t) => {
  const dataDir = join(await makeFolder(t), 'deep/data');
  const { url, pid, stop } = await serveIn(t, dataDir);
  const modeOf = async (name: string) => ((await stat(join(dataDir, name))).mode & 0o777).toString(8);
  t.equal(await modeOf('.'), '700');
  t.equal(await modeOf('server.json'), '600');
  t.match(JSON.parse(await readFile(join(dataDir, 'server.json'), 'utf8')), { pid, started: process.platform === 'linux' ? /^\d+$/ : null, supervisor_pid: pid, url, agent: 'puppet' });
  await stop();
  await t.rejects(stat(join(dataDir, 'server.json')));
});

t.test('one that was there before keeps its mode, and what is put into it is its owner\'s alone', async (t) => {
  const dataDir = join(await makeFolder(t), 'data');
  await mkdir(dataDir);
  await chmod(dataDir, 0o755);
  const { stop } = await serveIn(t, dataDir);
  t.equal((await stat(dataDir)).mode & 0o777, 0o755);
  for (const name of ['state.db', 'server.json']) t.equal((await stat(join(dataDir, name))).mode & 0o777, 0o600, name);
  await stop();
});

t.test('a second server on it exits 1 and names the first one\'s pid', async (t) => {
  const dataDir = await makeFolder(t);
  const { url, pid, stop } = await serveIn(t, dataDir);
  const second = await runCommand(words(dataDir));
  t.equal(second.code, 1);
  t.equal(second.stderr, `oai-agent-server: the data directory ${dataDir} is in use by the server with pid ${pid}; choose another with --data-dir\n`);
  t.equal((await send(url, '/health')).status, 200, 'the first one goes on');
  await stop();
});

t.test('sessions outlive a stop, and a kill frees the directory with all that was answered', async (t) => {
  const dataDir = await makeFolder(t);
  const first = await serveIn(t, dataDir);
  await chat(first.url, { message: 'say one', session_id: 'kept' });
  t.strictSame(await first.stop(), { code: 0, signal: null });
  const second = await serveIn(t, dataDir);
  t.equal(((await read(second.url)).json['items'] as unknown[]).length, 2);
  await chat(second.url, { message: 'say two', session_id: 'kept' });
  t.strictSame(await second.stop('SIGKILL'), { code: null, signal: 'SIGKILL' });
  const third = await serveIn(t, dataDir);
  t.equal(((await read(third.url)).json['items'] as unknown[]).length, 4, 'who saw an answer finds it');
  t.match((await chat(third.url, { message: 'history', session_id: 'kept' })).json['response'], '"turnCount":2');
  await third.stop();
});

t.test('a session is forgotten SESSION_TTL_SECONDS after its last interaction', async (t) => {
  const { url, stop } = await serveIn(t, await makeFolder(t), { SESSION_TTL_SECONDS: '1' });
  const began = performance.now();
  await chat(url, { message: 'say one', session_id: 'kept' });
  await waitFor('half of its time', () => performance.now() - began > 600);
  t.equal((await chat(url, { message: 'say two', session_id: 'kept' })).status, 200);
  await waitFor('more than its time', () => performance.now() - began > 1_200);
  t.equal((await read(url)).status, 200, 'each interaction keeps it');
  await waitFor('its end', async () => (await read(url)).status === 404);
  t.equal((await chat(url, { message: 'history', session_id: 'kept' })).json['response'], '{"turnCount":0,"said":[]}');
  await stop();
});

nothingIsLeft(t);
