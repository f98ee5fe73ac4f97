// Ends the processes that a worker's thread has left behind: a thread that is terminated cannot end its MCP servers itself.
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

const KILL_AFTER_MS = 1000;

/**
 * Signals each that is still a child of this process, TERM first: its group where it leads one, else itself alone, as what an agent's own package has
 * started shares the group of the server. Most are gone by then: their stdin ended with the thread.
 * @param pids as their thread last told
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
      return kill(-pid, signal) || kill(pid, signal) ? [pid] : [];
    }),
  );
  return signalled.flat();
}

/** A group that nobody leads does not exist: its number is that of its leader. */
function kill(target: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(target, signal);
  } catch {
    return false;
  }
}

/**
 * Whether the number is still that of our child, and not by now of a stranger. Known on Linux; elsewhere a child of a thread that is gone keeps its
 * number, as nobody has waited for its end.
 */
async function isOwn(pid: number): Promise<boolean> {
  if (process.platform !== 'linux') return process.platform !== 'win32';
  // `pid (name) state parent …`; the name may hold anything (proc_pid_stat(5)).
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ').map(Number);
  return parent === process.pid;
}
