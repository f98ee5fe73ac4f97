// What the spool could not keep: counted, and told in the log without filling it.
import type { Logger } from '../log.ts';

/** A disk that is full refuses thousands of records a second; one line says so. */
const LINE_INTERVAL_MS = 5000;

export interface Losses {
  /** Records that nothing is left of. */
  readonly count: number;
  /** Something was not kept. @param records how many are lost by that @param reason in words, without a path */
  refused(records: number, reason: string): void;
  /** The spool keeps what it is given. */
  over(): void;
}

export function createLosses(log: Logger, intervalMs = LINE_INTERVAL_MS): Losses {
  let count = 0;
  /** The last line says that something was refused. */
  let isTold = false;
  let toldAt = Number.NEGATIVE_INFINITY;
  return {
    get count() {
      return count;
    },
    refused(records, reason) {
      count += records;
      const now = performance.now();
      if (now - toldAt < intervalMs) return;
      toldAt = now;
      isTold = true;
      log.error({ lost: count, reason }, 'the spool of the log takes no more');
    },
    over() {
      if (!isTold) return;
      isTold = false;
      log.info({ lost: count }, 'the spool of the log takes records again');
    },
  };
}
