// What the shipping thread asks of a database, whichever it is.
import type { LogRecord } from '../../shared/log_record.ts';

export interface LogStore {
  /** Commits the records, as often as they come: an interaction has one row. */
  add(records: readonly LogRecord[]): Promise<void>;
  /** What it has to do beside that, until it is told to stop. Rejects when the database cannot be used. */
  work(signal: AbortSignal): Promise<void>;
  /** Resolves when everything that was added is in its table. */
  settle(): Promise<void>;
  /** Deletes some of this agent's rows that are older than so many days. @returns whether there may be more */
  expire(days: number): Promise<boolean>;
  /** What else is to be done every hour. */
  maintain(): Promise<void>;
  /** Lets go of the database at once: what is being asked of it fails. */
  close(): Promise<void>;
}

/** What a store is opened with. */
export interface StoreSettings {
  readonly agentName: string;
  /** 0: for ever. */
  readonly retentionDays: number;
  /** Told how many records the database refuses for good, whenever that is counted. */
  onDeadLetters(count: number): void;
  /** Told of records that have no row, as one of another interaction has their id. */
  onReused(interactionIds: readonly string[]): void;
}

/** Rows that are deleted at once, so that nobody waits long for their locks. */
export const EXPIRE_BATCH = 1000;

/** The database is there and must not be used as it is; the message says why. */
export class UnusableDatabase extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UnusableDatabase';
  }
}
