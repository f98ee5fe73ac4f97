// What is read from /proc, with real threads and processes (Linux).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { childrenOf, isChild, isThread, threadIds } from '../../../supervisor/workers/proc.ts';
import { makeFolder } from '../../helpers/folder.ts';
import { nothingIsLeft } from '../../helpers/leftovers.ts';
import { waitFor } from '../../helpers/wait_for.ts';

t.test('a child is known by the thread that has started it, and passes to the main thread when that ends', async (t) => {
  const before = threadIds();
  const code = `
    const { pid } = require('node:child_process').spawn('sleep', ['1000'], { stdio: 'ignore' });
    require('node:worker_threads').parentPort.postMessage(pid);
  `;
  const worker = new Worker(code, { eval: true });
  const [thread = 0, ...others] = threadIds().filter((id) => !before.includes(id));
  t.strictSame(others, [], 'the thread is there at once');
  const [pid] = (await once(worker, 'message')) as [number];
  t.teardown(() => process.kill(pid, 'SIGKILL'));
  t.strictSame([childrenOf(thread), childrenOf(process.pid).includes(pid)], [[pid], false]);
  t.ok(isThread(thread) && isChild(pid));
  await worker.terminate();
  await waitFor('the end of the thread', () => !isThread(thread));
  t.ok(childrenOf(process.pid).includes(pid) && isChild(pid));
  t.strictSame(childrenOf(thread), []);
});

t.test('a name that looks like the rest of the line deceives nobody', async (t) => {
  const file = join(await makeFolder(t), `) S ${process.ppid} 1`);
  await symlink('/bin/sleep', file);
  const child = spawn(file, ['1000'], { stdio: 'ignore' });
  await once(child, 'spawn');
  t.ok(isChild(child.pid as number));
  child.kill('SIGKILL');
  await once(child, 'exit');
  t.notOk(isChild(child.pid as number));
  t.notOk([0, 1, process.pid, process.ppid].some(isChild));
});

nothingIsLeft(t);
