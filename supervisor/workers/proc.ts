// What Linux tells of this process: its threads, and the processes that each of them has started (proc(5)). Elsewhere nothing is known.
import { existsSync, readdirSync, readFileSync } from 'node:fs';

const THREADS = '/proc/self/task';

/** Of the threads that run now, whosesoever. None where it cannot be read, as when there are no descriptors left. */
export function threadIds(): readonly number[] {
  return namesIn(THREADS).map(Number);
}

export function isThread(id: number): boolean {
  return existsSync(`${THREADS}/${id}`);
}

/**
 * The processes that a thread has started and that nobody has waited for yet. Those of a thread that ends pass to one that goes on, the main thread
 * first (find_new_reaper in the kernel's exit.c). Empty with a kernel that was built without CONFIG_PROC_CHILDREN.
 * @param threadId the main thread's is the number of the process
 */
export function childrenOf(threadId: number): readonly number[] {
  return Array.from(read(`${THREADS}/${threadId}/children`).matchAll(/\d+/g), ([pid]) => Number(pid));
}

/** The processes that another has started, those that these have started, and so on. */
export function descendantsOf(pid: number): readonly number[] {
  const children = tasksOf(pid).flatMap((task) => Array.from(read(`/proc/${pid}/task/${task}/children`).matchAll(/\d+/g), ([child]) => Number(child)));
  return children.flatMap((child) => [child, ...descendantsOf(child)]);
}

/** When a process was started, in ticks since the machine was, by which another one of its number is told from it; null where nothing is told of it. */
export function startOf(pid: number): string | null {
  const stat = read(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
}

/** Whether the number is still that of a child of ours, and not by now of a stranger. */
export function isChild(pid: number): boolean {
  // `pid (name) state parent …`; the name may hold anything (proc_pid_stat(5)).
  const stat = read(`/proc/${pid}/stat`);
  const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ').map(Number);
  return parent === process.pid;
}

function tasksOf(pid: number): readonly string[] {
  return namesIn(`/proc/${pid}/task`);
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** '' where it has ended. A few microseconds: no disk is behind it. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
