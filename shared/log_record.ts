// What is kept of an interaction in the log: the row of `chat_logs`, as it is written to the spool, to the database, and answered by /logs.
import type { TokenUsage } from './chat.ts';

export const LOG_STATUSES = ['success', 'error', 'cancelled', 'timeout', 'interrupted'] as const;
/** `interrupted`: the server ended before the interaction did. */
export type LogStatus = (typeof LOG_STATUSES)[number];

export interface LoggedFile {
  readonly name: string;
  readonly type: string;
  /** Bytes. */
  readonly size: number;
}

/** Names as the API has them. Texts and files are null where LOG_CONTENT=false; what was never known is null. */
export interface LogRecord {
  readonly interaction_id: string;
  /** When it was admitted; ISO 8601 with ms, UTC. */
  readonly timestamp: string;
  readonly agent_name: string;
  readonly session_id: string;
  readonly user_id: string;
  /** Whom the row belongs to: `Caller.id`. Never answered. */
  readonly owner: string;
  /** Path of the route, such as `/chat/stream`. */
  readonly endpoint: string;
  readonly input_message: string | null;
  readonly output_response: string | null;
  /** Of an allow-list of names, in lower case. */
  readonly request_headers: Readonly<Record<string, string>>;
  readonly model_info: { readonly model_id: string; readonly provider: string } | null;
  readonly token_usage: TokenUsage | null;
  readonly total_tokens: number | null;
  readonly response_time_ms: number | null;
  readonly time_to_first_token_ms: number | null;
  readonly queue_ms: number | null;
  readonly status: LogStatus;
  /** In lower case, as in an error event. */
  readonly error_code: string | null;
  readonly error_message: string | null;
  readonly files: readonly LoggedFile[] | null;
}

/** A row as it is answered: when it was written to the database is known by then. */
export type LogRow = Omit<LogRecord, 'owner'> & { readonly created_at: string };

/**
 * A line of the spool. `open`: an interaction was admitted; its record is what is kept of it if nothing else follows, so its status is `interrupted`.
 * `end`: how it ended.
 */
export type SpoolEntry = { readonly type: 'open' | 'end'; readonly record: LogRecord };
