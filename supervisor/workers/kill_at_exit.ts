// Ends the processes that workers' threads still hold when this process ends without having closed them.
import { childrenOf, threadIds } from './proc.ts';
import { signalChild } from './signal_child.ts';

/** For threads to end: one inside a blocking call does not, and starts nothing meanwhile. Well within the grace of a hard end (bin/hard_end.ts). */
const STOP_LIMIT_MS = 250;
const LOOK_INTERVAL_MS = 1;

export interface Holder {
  /** The processes that the thread has told of by now, whether or not somebody has read it. */
  pids(): readonly number[];
  /** Starts the end of the thread. */
  stop(): void;
  /** Whether the thread is there, as far as is known. */
  runs(): boolean;
}

const holders = new Set<Holder>();

/**
 * Kills what the thread holds, should this process end before `release` is called: by an `exit`, not by a SIGKILL.
 * A Set, so that any number of workers needs one listener of the process.
 * @returns release
 */
export function killAtExit(holder: Holder): () => void {
  if (holders.size === 0) process.on('exit', killHeld);
  holders.add(holder);
  return () => {
    if (holders.delete(holder) && holders.size === 0) process.off('exit', killHeld);
  };
}

/**
 * Nothing asynchronous runs any more once a process exits, yet its other threads do, until after this: so they are ended first, as one may be starting
 * a process just now. Beside what they have told, which is all that is known elsewhere, Linux knows every child of a thread that is not the main one.
 */
function killHeld(): void {
  // Not the workers': started by bin/hard_end.ts, or, before this program was it, by a shell that has become it (`helper & exec node …`).
  const others = new Set(childrenOf(process.pid));
  for (const { stop } of holders) stop();
  const deadline = performance.now() + STOP_LIMIT_MS;
  for (;;) {
    // Asked before the processes are: none can come after the last look, and what a thread has started stays a child of ours when it has ended.
    const isLast = performance.now() > deadline || ![...holders].some(({ runs }) => runs());
    const told = [...holders].flatMap(({ pids }) => pids());
    const found = threadIds().flatMap(childrenOf).filter((pid) => !others.has(pid));
    for (const pid of new Set([...told, ...found])) signalChild(pid, 'SIGKILL');
    if (isLast) return;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)), 0, 0, LOOK_INTERVAL_MS);
  }
}
