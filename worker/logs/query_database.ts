// What a database of the log can be asked, whichever it is.
import type { LogFilter, QueryReport } from '../../shared/log_protocol.ts';
import type { RowValues } from './row_text.ts';

/** Where a row stands in the order of time, and how long its texts are. */
export interface RowKey {
  /** As exact as the database has it, in its own form. */
  readonly timestamp: string;
  readonly interactionId: string;
  readonly bytes: number;
}

export interface Walk {
  readonly filter: LogFilter;
  readonly oldestFirst: boolean;
  readonly limit: number;
}

/** Whose statement it is. */
export interface Asker {
  /** Called when the turn of its statements begins: until then others may have theirs. */
  begin(): void;
  /** Called when the turn of its statements has ended, however it did. */
  end(): void;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** A figure is null where there is nothing to take it of. */
export type Figures = Readonly<Record<string, string | number | null>>;

/** Everything rejects with QueryError; what the asker's signal aborts, with anything. */
export interface QueryDatabase {
  /** How many match, and the keys of so many of them: of one moment. */
  page(walk: Walk & { readonly offset: number }, asker: Asker): Promise<{ total: number; keys: RowKey[] }>;
  /** The keys that follow; after null the first ones. */
  keys(walk: Walk & { readonly after: RowKey | null }, asker: Asker): Promise<RowKey[]>;
  /** The rows of these keys, in their order, those left out that are gone. */
  rows(keys: readonly RowKey[], asker: Asker): Promise<RowValues[]>;
  one(filter: LogFilter, interactionId: string, asker: Asker): Promise<RowValues | null>;
  stats(filter: LogFilter, asker: Asker): Promise<{ totals: Figures; days: readonly Figures[] }>;
  /** Of the users with the most interactions, and how many users there are. */
  userStats(filter: LogFilter, asker: Asker): Promise<{ total: number; users: readonly Figures[] }>;
}

export class QueryError extends Error {
  readonly reason: (QueryReport & { type: 'failed' })['reason'];

  constructor(reason: QueryError['reason'], message: string) {
    super(message);
    this.name = 'QueryError';
    this.reason = reason;
  }
}
