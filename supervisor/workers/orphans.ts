// Ends the processes that a worker's thread has left behind: a thread that is terminated cannot end its MCP servers itself.
import { setTimeout as delay } from 'node:timers/promises';
import { signalChild } from './signal_child.ts';

const KILL_AFTER_MS = 1000;

/** Signals each that is still a child of this process, TERM first. Most are gone by then: their stdin ended with the thread. */
export async function endOrphans(pids: readonly number[]): Promise<void> {
  const left = pids.filter((pid) => signalChild(pid, 'SIGTERM'));
  if (left.length === 0) return;
  await delay(KILL_AFTER_MS);
  for (const pid of left) signalChild(pid, 'SIGKILL');
}
