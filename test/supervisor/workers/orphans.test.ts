// The processes that a thread has left: ended, and nobody else's.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { endOrphans } from '../../../supervisor/workers/orphans.ts';
import { nothingIsLeft } from '../../helpers/leftovers.ts';

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

t.test('a number that is by now another\'s is left alone', async (t) => {
  const member = await start(t, ':', false);
  const gone = await start(t, ':', true);
  gone.child.kill('SIGKILL');
  await gone.exited;
  await endOrphans([member.pid, gone.pid, process.ppid, 1]);
  t.equal(member.child.exitCode ?? member.child.signalCode, null, 'it leads no group, so it is none that a worker told of');
  member.child.kill('SIGKILL');
  await member.exited;
});

nothingIsLeft(t);
