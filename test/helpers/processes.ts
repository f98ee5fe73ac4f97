// The processes that a process has started, and those that they have (Linux).
import { readdirSync, readFileSync } from 'node:fs';

/** Ids of all that descend from it and run; those that have ended and are not waited for do not. */
export function descendantsOf(pid: number): readonly number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? statOf(Number(name)) : null;
    if (stat !== null && stat.state !== 'Z') parents.set(Number(name), stat.parent);
  }
  const found: number[] = [];
  let next = [pid];
  while (next.length > 0) {
    next = [...parents].flatMap(([child, parent]) => (next.includes(parent) ? [child] : []));
    found.push(...next);
  }
  return found;
}

/** Whether it runs. */
export function isAlive(pid: number): boolean {
  const stat = statOf(pid);
  return stat !== null && stat.state !== 'Z';
}

/** Its command line; '' where it has ended. */
export function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

/** See proc_pid_stat(5). */
function statOf(pid: number): { readonly state: string; readonly parent: number } | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state = '', parent = ''] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state, parent: Number(parent) };
  } catch {
    return null;
  }
}
