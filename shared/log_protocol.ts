// Every message between the supervisor and the two threads of the log: the one that ships records, and the one that answers questions.
import type { LogStatus } from './log_record.ts';

/** Where records are kept. What a thread is started with crosses as data, so the URL is a plain text there. */
export type LogBackend =
  | { readonly type: 'sqlite'; /** Path of logs.db. */ readonly file: string }
  | { readonly type: 'postgres'; /** With user and password. */ readonly url: string };

/** What the shipping thread is started with (`workerData`). */
export interface ShipSettings {
  readonly backend: LogBackend;
  readonly agentName: string;
  /** Directory of the spool's segments. */
  readonly spoolDir: string;
  /** 0: for ever. */
  readonly retentionDays: number;
}

/** To the shipping thread. */
export type ShipCommand =
  /** The spool has grown: everything before this place may be read. */
  | { readonly type: 'appended'; readonly segment: number; readonly offset: number }
  /** Ship what there is for up to so long, then end. */
  | { readonly type: 'close'; readonly graceMs: number };

/** What the shipping thread does every hour: it deletes rows that are too old, and does what else the database needs. */
export type UpkeepWork = 'retention' | 'maintenance';

/** From the shipping thread. */
export type ShipReport =
  /** Everything before this place is committed. `records`: how many more that are since the last report. */
  | { readonly type: 'shipped'; readonly segment: number; readonly offset: number; readonly records: number }
  /** Lines of the spool that are damaged were skipped; in words without content. */
  | { readonly type: 'damaged'; readonly segment: number; readonly offset: number; readonly bytes: number }
  /** The database answers, or does not. */
  | { readonly type: 'connected'; readonly connected: boolean; readonly reason: string | null }
  /** A record for each of these is lost: the row of its id is another interaction's. */
  | { readonly type: 'reused'; readonly interactionIds: readonly string[] }
  /** Jobs that failed for good. */
  | { readonly type: 'dead_letters'; readonly count: number }
  /** It fails for this reason, in words without content; null: no more. Told when that changes. */
  | { readonly type: 'upkeep'; readonly work: UpkeepWork; readonly reason: string | null }
  | { readonly type: 'closed' };

/** Whose rows are asked for, and which. Times are ISO 8601 with ms, UTC. */
export interface LogFilter {
  readonly agentName: string;
  /** null: everybody's (scope logs:all). */
  readonly owner: string | null;
  readonly sessionId: string | null;
  readonly userId: string | null;
  readonly endpoint: string | null;
  readonly status: LogStatus | null;
  /** Inclusive. */
  readonly startDate: string | null;
  /** Exclusive, except that a plain date includes its day: the caller has made it exclusive. */
  readonly endDate: string | null;
}

/** What the query thread is started with (`workerData`). */
export interface QuerySettings {
  readonly backend: LogBackend;
  /** For all statements of a question, or of a portion of a listing: PostgreSQL ends one itself; one of SQLite ends with its thread. */
  readonly statementTimeoutMs: number;
}

/** Answered in one piece. */
export type LogQuestion =
  | { readonly type: 'one'; readonly filter: LogFilter; readonly interactionId: string }
  | { readonly type: 'stats'; readonly filter: LogFilter }
  | { readonly type: 'user_stats'; readonly filter: LogFilter };

/** Answered in portions, as rows may be long and many. */
export type LogListing =
  /** `{"total", "limit", "offset", "logs"}`, newest first. */
  | { readonly type: 'page'; readonly filter: LogFilter; readonly limit: number; readonly offset: number }
  /** `{"session_id", "total", "logs"}`, oldest first, all; null where there is none. */
  | { readonly type: 'session'; readonly filter: LogFilter; readonly sessionId: string }
  /** All that match, newest first. */
  | { readonly type: 'export'; readonly filter: LogFilter; readonly format: 'csv' | 'jsonl' };

/** To the query thread. */
export type QueryCommand =
  | { readonly type: 'ask'; readonly id: number; readonly question: LogQuestion | LogListing }
  /** The reader of a listing takes so many portions more; at first it takes none. */
  | { readonly type: 'credit'; readonly id: number; readonly portions: number }
  /** Nobody waits for the answer any more. It is confirmed by `end`. */
  | { readonly type: 'abandon'; readonly id: number };

/** From the query thread; `answer`, `end` and `failed` are the last word on a question. Answers are JSON texts, so that the supervisor copies them and parses nothing. */
export type QueryReport =
  /** Statements have begun for this question. */
  | { readonly type: 'working'; readonly id: number }
  /** They have ended; others have to wait for their turn. */
  | { readonly type: 'waiting'; readonly id: number }
  | { readonly type: 'answer'; readonly id: number; /** null: no such row. */ readonly json: string | null }
  | { readonly type: 'portion'; readonly id: number; readonly text: string }
  | { readonly type: 'end'; readonly id: number }
  /** `unavailable`: the database cannot be reached; `slow`: the statement was ended. `message` without content or credentials. */
  | { readonly type: 'failed'; readonly id: number; readonly reason: 'unavailable' | 'slow' | 'failed'; readonly message: string };
