// The embedded store: one SQLite file of the data directory for sessions and tokens, used by this thread only.
import { chmodSync, closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { SESSIONS_SCHEMA, sqliteSessions, type EmbeddedSessions } from './sqlite.ts';
import type { TokenStore } from './tokens.ts';
import { sqliteTokens, TOKENS_SCHEMA } from './tokens_sqlite.ts';

/** Counted up with every change of the tables. 1: sessions. 2: tokens as well. */
const SCHEMA_VERSION = 2;

export interface EmbeddedStore {
  readonly sessions: EmbeddedSessions;
  readonly tokens: TokenStore;
  close(): void;
}

/**
 * Opens the store, making its tables where they are missing.
 * @throws the error of SQLite when the file cannot be opened or is none of its own
 */
export function openEmbeddedStore(file: string): EmbeddedStore {
  // The directory is its owner's alone; so are its files, wherever they are copied to. SQLite gives the file's mode to the log beside it.
  closeSync(openSync(file, 'a', 0o600));
  chmodSync(file, 0o600);
  const db = new DatabaseSync(file);
  try {
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 50;');
    migrate(db);
    const sessions = sqliteSessions(db);
    const tokens = sqliteTokens(db);
    return {
      sessions,
      tokens,
      close() {
        // A hard end may come in the middle of another.
        if (!db.isOpen) return;
        sessions.commit();
        db.close();
      },
    };
  } catch (error) {
    db.close();
    throw error;
  }
}

/** A new file has version 0 and no tables. What a version adds are tables of its own, so an older file needs nothing but those. */
function migrate(db: DatabaseSync): void {
  const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number };
  const { tables } = db.prepare('SELECT count(*) AS tables FROM sqlite_schema').get() as { tables: number };
  const isOurs = version >= 1 && version <= SCHEMA_VERSION;
  if (!isOurs && (version !== 0 || tables > 0)) throw new Error(`its tables are of version ${version}, expected ${SCHEMA_VERSION}`);
  db.exec(`BEGIN IMMEDIATE; ${SESSIONS_SCHEMA} ${TOKENS_SCHEMA} PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT;`);
}
