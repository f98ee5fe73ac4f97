// What is left of a process that has exited while its worker threads held processes: nothing of theirs, and all that is not theirs (Linux).
import { readdirSync } from 'node:fs';
import t, { type Test } from 'tap';
import { nothingIsLeft } from '../../helpers/leftovers.ts';
import { type Exit, type Output, spawnProcess } from '../../helpers/process.ts';
import { commandOf, isAlive } from '../../helpers/processes.ts';
import { waitFor } from '../../helpers/wait_for.ts';

const SOURCES = new URL('../../../supervisor/workers/', import.meta.url);

/** For the script of a process: `hold(code, pids)` starts a thread with `code` and holds it, `mark(name)` is an argument of `sleep`. */
const PRELUDE = `
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { killAtExit } from ${JSON.stringify(new URL('kill_at_exit.ts', SOURCES).href)};
import { isThread, threadIds } from ${JSON.stringify(new URL('proc.ts', SOURCES).href)};
const silent = { stdio: 'ignore' };
const detached = { stdio: 'ignore', detached: true };
const started = new Int32Array(new SharedArrayBuffer(4));
const waitForStarted = (count) => {
  while (started[0] < count) Atomics.wait(started, 0, started[0], 20);
};
function hold(code, pids = []) {
  const before = threadIds();
  const names = "const { spawn, execSync } = require('node:child_process'); const { parentPort, workerData } = require('node:worker_threads');";
  const worker = new Worker(names + code, {
    eval: true,
    execArgv: [],
    workerData: { started, marks },
  });
  const own = threadIds().filter((id) => !before.includes(id));
  const release = killAtExit({ pids: () => pids, stop: () => void worker.terminate(), runs: () => own.some(isThread) });
  return { worker, release };
}
`;

const NAMES = ['helper', 'ours', 'group', 'member', 'alone', 'many'] as const;
type Name = (typeof NAMES)[number];

/** Fractions of a second that tell the processes of this test from all others. */
const marks = Object.fromEntries(NAMES.map((name, i) => [name, `1000.${process.pid}${i}`])) as Record<Name, string>;

const running = (): readonly number[] => readdirSync('/proc').map(Number).filter((pid) => pid > 0 && isAlive(pid));
const pidsOf = (name: Name): readonly number[] => running().filter((pid) => commandOf(pid).includes(marks[name]));

/** Runs it under a shell that has started `helper` and then becomes it. Whatever is left ends with the test. */
async function runToExit(t: Test, script: string): Promise<Exit & Output> {
  t.teardown(() => NAMES.flatMap(pidsOf).forEach((pid) => process.kill(pid, 'SIGKILL')));
  const source = `${PRELUDE.replace('const silent', `const marks = ${JSON.stringify(marks)};\nconst silent`)}${script}`;
  const shell = `sleep ${marks.helper} >/dev/null 2>&1 & exec "$0" "$@"`;
  const { exited, output } = spawnProcess('/bin/sh', ['-c', shell, process.execPath, '--input-type=module', '-e', source]);
  return { ...(await exited), ...output };
}

const isGone = (name: Name): Promise<true> => waitFor(`the end of ${name}`, () => pidsOf(name).length === 0);

t.test('what a thread has started ends, told or not, with its group where it leads one; what it has not started goes on', async (t) => {
  const { code, stderr } = await runToExit(
    t,
    `
    const { worker } = hold(\`
      spawn('/bin/sh', ['-c', 'sleep ' + workerData.marks.member + ' & exec sleep ' + workerData.marks.group], { stdio: 'ignore', detached: true });
      spawn('sleep', [workerData.marks.alone], { stdio: 'ignore' });
      parentPort.once('message', () => undefined);
      parentPort.postMessage('');
    \`);
    spawn('sleep', [marks.ours], detached);
    await once(worker, 'message');
    process.exit(7);
    `,
  );
  t.strictSame([code, stderr], [7, '']);
  for (const name of ['group', 'member', 'alone'] as const) await isGone(name);
  t.equal(pidsOf('ours').length, 1, "the program's own");
  t.equal(pidsOf('helper').length, 1, 'of the shell that it was');
});

t.test('threads that never stop starting processes leave none', async (t) => {
  for (let i = 0; i < 5; i++) {
    const { code, stderr } = await runToExit(
      t,
      `
      for (let i = 0; i < 4; i++) hold(\`for (;;) {
        spawn('sleep', [workerData.marks.many], { stdio: 'ignore', detached: true });
        Atomics.add(workerData.started, 0, 1);
      }\`);
      waitForStarted(10);
      process.exit(0);
      `,
    );
    t.strictSame([code, stderr], [0, '']);
    await isGone('many');
  }
});

t.test('a thread that waits for a process is not waited for', async (t) => {
  const { code } = await runToExit(
    t,
    `
    hold("Atomics.add(workerData.started, 0, 1); execSync('exec sleep ' + workerData.marks.alone)");
    waitForStarted(1);
    process.exit(0);
    `,
  );
  t.equal(code, 0);
  await isGone('alone');
});

t.test('what is told ends wherever it was started; a stranger that is told does not, nor what is released', async (t) => {
  const { code, stderr } = await runToExit(
    t,
    `
    const told = spawn('sleep', [marks.group], detached);
    const shell = spawn('/bin/sh', ['-c', 'sleep ' + marks.member + ' >/dev/null & echo $!; wait'], { stdio: ['ignore', 'pipe', 'ignore'] });
    const stranger = Number(await once(shell.stdout, 'data'));
    hold('', [told.pid, stranger, 1, 0]);
    const kept = spawn('sleep', [marks.ours], silent);
    hold('', [kept.pid]).release();
    process.exit(0);
    `,
  );
  t.strictSame([code, stderr], [0, '']);
  await isGone('group');
  t.strictSame([pidsOf('member').length, pidsOf('ours').length], [2, 1], 'the shell and its child go on');
});

t.test('nothing listens to the end where nothing is held', async (t) => {
  const { stdout } = await runToExit(
    t,
    `
    const { release } = hold('');
    const listeners = process.listenerCount('exit');
    release();
    release();
    console.log(listeners - process.listenerCount('exit'));
    process.exit(0);
    `,
  );
  t.equal(stdout, '1\n');
});

nothingIsLeft(t);
