// Ends the processes that a worker's thread has left behind: a thread that is terminated cannot end its MCP servers itself.
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

const KILL_AFTER_MS = 1000;

/**
 * Signals the group of each that is still a child of this process, TERM first. Most are gone by then: their stdin ended with the thread.
 * @param pids leaders of their groups, as their thread last told
 */
export async function endOrphans(pids: readonly number[]): Promise<void> {
  const left = await signalOwn(pids, 'SIGTERM');
  if (left.length === 0) return;
  await delay(KILL_AFTER_MS);
  await signalOwn(left, 'SIGKILL');
}

/** @returns those that were there */
async function signalOwn(pids: readonly number[], signal: NodeJS.Signals): Promise<readonly number[]> {
  const signalled = await Promise.all(
    pids.map(async (pid) => {
      if (!(await isOwn(pid))) return [];
      try {
        process.kill(-pid, signal);
        return [pid];
      } catch {
        return [];
      }
    }),
  );
  return signalled.flat();
}

/**
 * Whether the number is still that of our child, and not by now of a stranger. Known on Linux; elsewhere a child of a thread that is gone keeps its
 * number, as nobody has waited for its end.
 */
async function isOwn(pid: number): Promise<boolean> {
  if (process.platform !== 'linux') return process.platform !== 'win32';
  // `pid (name) state parent group …`; the name may hold anything (proc_pid_stat(5)).
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const [, parent, group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ').map(Number);
  return parent === process.pid && group === pid;
}
