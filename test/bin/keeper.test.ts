// The launcher's part that keeps a supervisor running, with scripts that stand for one: what it starts again, how soon, and what ends it.
import { chmod, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { makeFolder } from '../helpers/folder.ts';
import { PROJECT, spawnProcess } from '../helpers/process.ts';
import { isAlive } from '../helpers/processes.ts';
import { waitFor } from '../helpers/wait_for.ts';

const KEEPER = `import { keep } from ${JSON.stringify(`file://${PROJECT}/bin/keeper.ts`)};
keep(import.meta.dirname + '/supervisor.mjs', [], process.argv[2] === 'stand-in');`;
/** Counts its starts in a file, then does what follows; `run` is 1 for the first. */
const PROLOGUE = `import { appendFileSync, readFileSync } from 'node:fs';
const { pid } = process;
for (const name of ['SIGINT', 'SIGHUP', 'SIGTERM', 'SIGQUIT']) process.on(name, () => {});
appendFileSync(import.meta.dirname + '/starts', pid + '\\n');
const run = readFileSync(import.meta.dirname + '/starts', 'utf8').split('\\n').length - 1;
const tell = (report) => new Promise((resolve) => process.send(report, resolve));
const obey = (end) => process.on('message', (order) => order.type === 'stop' ? end() : order.type === 'stop_now' && process.exit(0));
const block = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
`;

async function keepScript(t: Test, script: string, { args = [] as readonly string[], env = {} } = {}) {
  const folder = await makeFolder(t, { 'keeper.mjs': KEEPER, 'supervisor.mjs': PROLOGUE + script, starts: '' });
  const spawned = spawnProcess(process.execPath, [join(folder, 'keeper.mjs'), ...args], { env });
  t.teardown(() => spawned.process.kill('SIGKILL'));
  /** Process ids of all supervisors so far. */
  const starts = async (): Promise<number[]> => (await readFile(join(folder, 'starts'), 'utf8')).split('\n').slice(0, -1).map(Number);
  const started = (count: number) => waitFor(`start ${count}`, async () => (await starts())[count - 1]);
  const printed = (text: string) => waitFor(text, () => spawned.output.stdout.includes(text) || spawned.output.stderr.includes(text));
  return { ...spawned, folder, starts, started, printed };
}

const OF_USE = "obey(() => process.exit(0)); await tell({ type: 'ready' }); console.log('ready');";

t.test('a supervisor that has never been ready is not started again: its exit code is the answer', async (t) => {
  for (const [script, code] of [
    ['process.exit(78);', 78],
    ["process.kill(pid, 'SIGKILL');", 137],
    ["await tell({ type: 'ending', exitCode: 2 }); process.kill(pid, 'SIGKILL');", 2],
  ] as const) {
    const { exited, starts, output } = await keepScript(t, script);
    t.strictSame(await exited, { code, signal: null });
    t.equal((await starts()).length, 1);
    t.equal(output.stderr, '');
  }
});

t.test('one that dies soon after its start is started again later and later, with a line that says why', async (t) => {
  const dying = "await tell({ type: 'ready' }); if (run % 2 === 0) process.exit(1); process.kill(pid, 'SIGKILL');";
  const { process: keeper, exited, printed, output } = await keepScript(t, dying);
  await printed('in 0.4 s\n');
  keeper.kill('SIGTERM');
  t.strictSame(await exited, { code: 0, signal: null }, 'it can be ended while there is none');
  const line = (how: string, when: string) => `oai-agent-server: the server's process ended with ${how}; it is started again${when}\n`;
  t.equal(output.stderr, line('SIGKILL', '') + line('exit code 1', ' in 0.1 s') + line('SIGKILL', ' in 0.2 s') + line('exit code 1', ' in 0.4 s'));
});

t.test('one that cannot be started again now may be later', async (t) => {
  const script = `${OF_USE} if (run === 1) process.exit(1);`;
  const { process: keeper, exited, started } = await keepScript(t, `if (run === 2 || run === 3) process.exit(78); ${script}`);
  await started(4);
  keeper.kill('SIGTERM');
  t.strictSame(await exited, { code: 0, signal: null });
});

t.test('one that ends as it was asked to is the end: by an order, or on its own with 0', async (t) => {
  for (const script of [`${OF_USE} process.exit(0);`, "await tell({ type: 'ready' }); await tell({ type: 'ending', exitCode: 0 }); process.kill(pid, 'SIGKILL');"]) {
    const { exited, starts } = await keepScript(t, script);
    t.strictSame(await exited, { code: 0, signal: null });
    t.equal((await starts()).length, 1);
  }
});

t.test('one that is blocked ends all the same: on QUIT, a second INT, and a TERM that comes again', async (t) => {
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const { process: keeper, exited, printed, started } = await keepScript(t, `${OF_USE} block();`);
    await printed('ready\n');
    const pid = await started(1);
    await waitFor(`the end by ${signal}`, () => keeper.exitCode !== null || (keeper.kill(signal), false));
    t.strictSame(await exited, { code: 0, signal: null }, signal);
    t.notOk(isAlive(pid), signal);
  };
  await Promise.all((['SIGQUIT', 'SIGINT', 'SIGTERM'] as const).map(end));
});

t.test('a stop that takes its time is not cut short by TERMs', async (t) => {
  const slow = `let timer;
    const finish = () => { console.log('finished'); process.exit(0); };
    obey(() => { void tell({ type: 'stopping' }); timer ??= setTimeout(finish, 2500); });
    await tell({ type: 'ready' });
    console.log('ready');`;
  const { process: keeper, exited, output, printed } = await keepScript(t, slow);
  await printed('ready\n');
  await waitFor('the end', () => keeper.exitCode !== null || (keeper.kill('SIGTERM'), false));
  t.strictSame(await exited, { code: 0, signal: null });
  t.match(output.stdout, 'finished');
});

t.test('one that has said that it ends, and does not, is killed', async (t) => {
  const script = `${OF_USE} obey(async () => { await tell({ type: 'ending', exitCode: 0 }); block(); });`;
  const { process: keeper, exited, starts, started, printed } = await keepScript(t, script.replace('obey(() => process.exit(0)); ', ''));
  await printed('ready\n');
  keeper.kill('SIGTERM');
  t.strictSame(await exited, { code: 0, signal: null });
  t.equal((await starts()).length, 1);
  t.notOk(isAlive(await started(1)));
});

t.test('an end in the course of a stop is the end, however it comes about', async (t) => {
  const script = "obey(() => process.kill(pid, 'SIGSEGV')); await tell({ type: 'ready' }); console.log('ready');";
  const { process: keeper, exited, starts, printed } = await keepScript(t, script);
  await printed('ready\n');
  keeper.kill('SIGTERM');
  t.strictSame(await exited, { code: 139, signal: null });
  t.equal((await starts()).length, 1);
});

/** Listens on the launcher's socket for an address. */
const LISTENING = `import { createServer } from 'node:net';
const listenOn = (host, port) => new Promise((resolve) => {
  const take = (order, socket) => {
    if (order.type === 'not_bound') return resolve(order.code);
    if (order.type !== 'socket') return;
    const server = createServer((connection) => connection.end());
    server.listen(socket ?? port, () => resolve(server.address().port));
  };
  process.on('message', take);
  void tell({ type: 'bind', host, port });
});
`;

t.test('all get the same socket, also one that asks for another address, which is told', async (t) => {
  const script = `${LISTENING} console.log('on ' + await listenOn('127.0.0.1', run === 1 ? 0 : 1));
    obey(() => process.exit(0)); await tell({ type: 'ready' }); if (run === 1) process.exit(1);`;
  const { process: keeper, exited, output } = await keepScript(t, script);
  const ports = await waitFor('two to listen', () => (output.stdout.match(/\d+/g) ?? []).length === 2 && output.stdout.match(/\d+/g));
  t.equal(ports[0], ports[1]);
  keeper.kill('SIGTERM');
  t.strictSame(await exited, { code: 0, signal: null });
  t.match(output.stderr, /^oai-agent-server: port 1 of 127\.0\.0\.1 takes a new start of the launcher; until then it serves on port 0 of 127\.0\.0\.1$/m);
});

t.test('nobody has to read what it says', async (t) => {
  const { process: keeper, started, exited, printed } = await keepScript(t, OF_USE);
  await printed('ready\n');
  keeper.stderr?.destroy();
  process.kill(await started(1), 'SIGKILL');
  await started(2);
  t.equal(keeper.exitCode, null);
  keeper.kill('SIGTERM');
  t.strictSame(await exited, { code: 0, signal: null });
});

t.test('systemd is told, and nobody below speaks to it', async (t) => {
  const tool = '#!/bin/sh\n[ "$1" = RELOADING=1 ] && sleep 0.2\nfor line in "$@"; do echo "$line"; done >>"$NOTIFY_SOCKET"\n';
  const script = `obey(() => process.exit(0)); await tell({ type: 'ready' }); await tell({ type: 'reloading' });
    await tell({ type: 'reloaded', error: 'no\\nMAINPID=1' }); console.log('NOTIFY_SOCKET: ' + process.env.NOTIFY_SOCKET);`;
  const folder = await makeFolder(t, { 'systemd-notify': tool });
  const told = join(folder, 'told');
  await chmod(join(folder, 'systemd-notify'), 0o755);
  const { process: keeper, exited, printed } = await keepScript(t, script, { env: { PATH: `${folder}:${process.env['PATH']}`, NOTIFY_SOCKET: told } });
  await printed('NOTIFY_SOCKET: undefined\n');
  const read = () => readFile(told, 'utf8').catch(() => '');
  await waitFor('the reload to be told', async () => (await read()).includes('failed'));
  keeper.kill('SIGTERM');
  t.strictSame(await exited, { code: 0, signal: null });
  await waitFor('the stop to be told', async () => (await read()).includes('STATUS=stopping\n'));
  const reload = ['RELOADING=1', String.raw`MONOTONIC_USEC=\d+`, 'STATUS=reloading', 'READY=1', 'STATUS=serving; the last reload failed: no MAINPID=1'];
  const lines = ['READY=1', 'STATUS=serving', ...reload, 'STOPPING=1', 'STATUS=stopping'];
  t.match(await read(), new RegExp(`^${lines.join('\n')}\n$`));
});
