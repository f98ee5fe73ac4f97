// Kills a process that leads a group, with all that it has started.
import { descendantsOf } from './proc.ts';
import { signalGroup } from './signal_child.ts';

/** Beside its group those that lead groups of their own, as MCP servers do, where they are known (Linux). @param pid undefined: of one that never started */
export function killTree(pid: number | undefined): void {
  if (pid === undefined) return;
  // Looked for before their parent is gone, and itself last: it may be the one that asks.
  for (const each of [...descendantsOf(pid).toReversed(), pid]) signalGroup(each, 'SIGKILL');
}
