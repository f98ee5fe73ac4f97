// Signals a process that this one has started, with those that it has started in turn.
import { isChild } from './proc.ts';

/**
 * Its group where it leads one, else itself alone, as what an agent's own package has started shares the group of the server. Nobody where the
 * number is by now that of a stranger, which is known on Linux; elsewhere a child of a thread that is gone keeps its number, as nobody has waited
 * for its end.
 * @returns whether it was there
 */
export function signalChild(pid: number, signal: NodeJS.Signals): boolean {
  // A signal to -1 goes to everybody.
  if (pid <= 1 || process.platform === 'win32' || (process.platform === 'linux' && !isChild(pid))) return false;
  return signalGroup(pid, signal);
}

/** Of one that is known to be there: its group where it leads one, else itself alone. @returns whether it was there */
export function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  return send(-pid, signal) || send(pid, signal);
}

/** A group that nobody leads does not exist: its number is that of its leader. */
function send(target: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(target, signal);
  } catch {
    return false;
  }
}
