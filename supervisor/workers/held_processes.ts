// The processes that one worker's thread holds, which end with it: those that it tells of, and those that it had no time to tell of.
import { killAtExit } from './kill_at_exit.ts';
import { endOrphans } from './orphans.ts';
import { childrenOf, isThread } from './proc.ts';

/** A thread that is made to end takes about two milliseconds for it. */
const LOOK_INTERVAL_MS = 1;

export interface HeldProcesses {
  /** @param pids all that the thread holds now, as it says itself */
  tell(pids: readonly number[]): void;
  /** Adds what the thread is seen to hold (Linux) until it is gone. For one that is made to end: one that ends by itself leaves what is to go on. */
  watch(gone: Promise<void>): Promise<void>;
  /** Ends them all, once the thread is gone. Never rejects. */
  end(): Promise<void>;
}

/**
 * Should this process exit before `end` has ended them, they are killed.
 * @param threads the system's ids of the thread
 * @param readUnread calls `tell` for what the thread has sent and the event loop has not delivered
 * @param stop starts the end of the thread, at an exit of this process
 */
export function holdProcesses(threads: readonly number[], readUnread: () => void, stop: () => void): HeldProcesses {
  let told: readonly number[] = [];
  const seen = new Set<number>();
  const look = (): void => threads.flatMap(childrenOf).forEach((pid) => void seen.add(pid));
  const pids = (): readonly number[] => {
    readUnread();
    return [...new Set([...told, ...seen])];
  };
  const release = killAtExit({ pids, stop, runs: () => threads.some(isThread) });
  return {
    tell(now) {
      told = now;
    },
    async watch(gone) {
      look();
      const timer = setInterval(look, LOOK_INTERVAL_MS);
      await gone;
      clearInterval(timer);
    },
    async end() {
      await endOrphans(pids());
      release();
    },
  };
}
