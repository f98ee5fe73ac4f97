// The processes that a thread has left: ended, and nobody else's.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { endOrphans } from '../../../supervisor/workers/orphans.ts';
import { nothingIsLeft } from '../../helpers/leftovers.ts';
import { isAlive } from '../../helpers/processes.ts';

/** A process that says when it is ready. */
async function start(t: Test, script: string, detached: boolean): Promise<{ child: ChildProcess; pid: number; exited: Promise<unknown[]> }> {
  const child = spawn('/bin/sh', ['-c', `${script}; echo ready; while :; do sleep 1; done`], { stdio: ['ignore', 'pipe', 'ignore'], detached });
  const exited = once(child, 'exit');
  t.teardown(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return { child, pid: child.pid as number, exited };
}

t.test('a group is asked to end, and made to where it does not', async (t) => {
  const [tame, deaf] = await Promise.all([start(t, ':', true), start(t, 'trap "" TERM', true)]);
  await endOrphans([tame.pid, deaf.pid]);
  t.strictSame([await tame.exited, await deaf.exited], [[null, 'SIGTERM'], [null, 'SIGKILL']]);
});

t.test('a process that leads no group is ended alone, and made to where it does not end', async (t) => {
  const [tame, deaf, other] = await Promise.all([start(t, ':', false), start(t, 'trap "" TERM', false), start(t, ':', false)]);
  await endOrphans([tame.pid, deaf.pid]);
  t.strictSame([await tame.exited, await deaf.exited], [[null, 'SIGTERM'], [null, 'SIGKILL']]);
  t.equal(other.child.exitCode ?? other.child.signalCode, null, 'the others of its group go on');
  other.child.kill('SIGKILL');
  await other.exited;
});

t.test('a number that is by now another\'s is left alone', async (t) => {
  const gone = await start(t, ':', true);
  gone.child.kill('SIGKILL');
  await gone.exited;
  // A child of a child: the shell waits for it, and says its number.
  const parent = spawn('/bin/sh', ['-c', 'sleep 1000 & echo $!; wait'], { stdio: ['ignore', 'pipe', 'ignore'], detached: true });
  const ended = once(parent, 'exit');
  const [number] = (await once(parent.stdout, 'data')) as [Buffer];
  const stranger = Number(number.toString());
  await endOrphans([stranger, gone.pid, process.ppid, 1]);
  t.ok(isAlive(stranger), 'it is no child of ours');
  process.kill(-(parent.pid as number), 'SIGKILL');
  await ended;
});

nothingIsLeft(t);
