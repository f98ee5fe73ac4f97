// Ends the processes that workers still hold when this process ends without having closed them.
import { readFileSync } from 'node:fs';

const holders = new Set<() => readonly number[]>();

/**
 * Kills these processes, each with its group where it leads one, should this process end before `release` is called: by an `exit`, not by a SIGKILL.
 * A Set, so that any number of workers needs one listener of the process.
 * @param pidsOf asked at the end
 * @returns release
 */
export function killAtExit(pidsOf: () => readonly number[]): () => void {
  if (holders.size === 0) process.on('exit', killHeld);
  holders.add(pidsOf);
  return () => {
    if (holders.delete(pidsOf) && holders.size === 0) process.off('exit', killHeld);
  };
}

/** Nothing asynchronous runs any more once a process exits. */
function killHeld(): void {
  for (const pidsOf of holders) pidsOf().forEach(kill);
}

function kill(pid: number): void {
  const target = targetOf(pid);
  if (target === null) return;
  try {
    process.kill(target, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

/** What to signal: its group where it leads one, else itself; null where the number is by now that of a stranger, which is known on Linux. */
function targetOf(pid: number): number | null {
  if (process.platform === 'win32') return null;
  if (process.platform !== 'linux') return -pid;
  try {
    // `pid (name) state parent group …`; the name may hold anything (proc_pid_stat(5)).
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [, parent, group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ').map(Number);
    if (parent !== process.pid) return null;
    return group === pid ? -pid : pid;
  } catch {
    return null;
  }
}
