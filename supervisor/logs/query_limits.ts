// How many questions the log is asked at a time, and how long they take.
import type { LogBackend } from '../../shared/log_protocol.ts';

export const STATEMENT_TIMEOUT_MS = 10_000;
/** PostgreSQL ends a statement itself; beyond that, and its connection's own limit, it ends with its thread. SQLite's ends with its thread alone. */
export const THREAD_FACTORS = { sqlite: 1, postgres: 1.2 } as const;
/** For a question's turn to come. */
export const WAIT_TIMEOUT_MS = 12_000;
export const MAX_QUESTIONS = 72;
/** So that readers that take their time leave room for others. */
export const MAX_LISTINGS = 48;
/** Of one caller, running and waiting, so that none keeps the others out. */
export const MAX_OF_CALLER = 8;
/** A reader that takes less than a portion, some 64 KiB, in such a time is cut off. */
export const PORTION_TIMEOUT_MS = 60_000;
/** Portions that wait for a listing's reader. */
export const WINDOW = 4;
/** Threads that are to end, and are held up by a statement: no other is begun beside so many. */
export const MAX_LOST_THREADS = 2;
/** A question that breaks its thread is asked once more, as it may have been another's doing. */
export const MAX_ATTEMPTS = 2;
export const CLOSE_TIMEOUT_MS = 1000;

export interface QueriesOptions {
  readonly backend: LogBackend;
  /** The others are for tests. */
  readonly statementTimeoutMs?: number;
  readonly waitTimeoutMs?: number;
  readonly portionTimeoutMs?: number;
}
