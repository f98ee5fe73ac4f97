// The log in a file of SQLite, which the shipping thread alone writes.
import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { LogRecord } from '../../shared/log_record.ts';
import { SQLITE_INSERT, SQLITE_REUSED, sqliteValues } from './columns.ts';
import { EXPIRE_BATCH, type LogStore, type StoreSettings } from './log_store.ts';
import { newerDatabase } from './migrate.ts';
import { storable } from './storable.ts';

/** Readers do not keep a writer waiting; this is for a backup that somebody makes. */
const BUSY_TIMEOUT_MS = 2000;
/** What the write-ahead log keeps on the disk after a long reading. */
const MAX_WAL_BYTES = 64 * 1024 * 1024;
/** SQLITE_CONSTRAINT, SQLITE_TOOBIG, SQLITE_MISMATCH (https://www.sqlite.org/rescode.html): a record is to blame. */
const DATA_ERRORS: readonly number[] = [19, 18, 20];

/** One after another: the file's version is how many of them it has. */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE chat_logs (
    interaction_id TEXT NOT NULL PRIMARY KEY,
    "timestamp" TEXT NOT NULL,
    agent_name TEXT NOT NULL,
    session_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    input_message TEXT,
    output_response TEXT,
    request_headers TEXT NOT NULL,
    model_info TEXT,
    token_usage TEXT,
    total_tokens INTEGER,
    response_time_ms REAL,
    time_to_first_token_ms REAL,
    queue_ms REAL,
    status TEXT NOT NULL,
    error_code TEXT,
    error_message TEXT,
    files TEXT,
    created_at TEXT NOT NULL,
    -- Not integers: a figure of an agent's own making must not end a sum.
    input_tokens REAL AS (CAST(token_usage->>'input_tokens' AS REAL)) VIRTUAL,
    output_tokens REAL AS (CAST(token_usage->>'output_tokens' AS REAL)) VIRTUAL
  );
  CREATE INDEX chat_logs_by_time ON chat_logs (
    agent_name, "timestamp", interaction_id, endpoint, status, response_time_ms, time_to_first_token_ms, total_tokens, input_tokens, output_tokens
  );
  CREATE INDEX chat_logs_by_owner ON chat_logs (agent_name, owner, "timestamp", interaction_id);
  CREATE INDEX chat_logs_by_session ON chat_logs (agent_name, session_id, "timestamp", interaction_id);
  CREATE INDEX chat_logs_by_user ON chat_logs (agent_name, user_id, "timestamp", interaction_id);
  CREATE INDEX chat_logs_by_status ON chat_logs (agent_name, status, "timestamp", interaction_id);
  CREATE TABLE dead_letters (number INTEGER PRIMARY KEY, refused_at TEXT NOT NULL, reason TEXT NOT NULL, record TEXT NOT NULL);`,
];

/** @throws UnusableDatabase where the file is of a newer version, which is not touched then; the errors of SQLite and of the file system */
export function openSqliteStore(file: string, settings: StoreSettings): LogStore {
  // SQLite gives its other files the permissions of this one.
  closeSync(openSync(file, 'a', 0o600));
  const db = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS });
  try {
    migrate(db);
    return sqliteStore(db, settings);
  } catch (error) {
    db.close();
    throw error;
  }
}

function sqliteStore(db: DatabaseSync, { agentName, onDeadLetters, onReused }: StoreSettings): LogStore {
  const insert = db.prepare(SQLITE_INSERT);
  const isReused = db.prepare(SQLITE_REUSED);
  const bury = db.prepare("INSERT INTO dead_letters (refused_at, reason, record) VALUES (strftime('%Y-%m-%dT%H:%M:%fZ'), ?, ?)");
  const countDead = db.prepare('SELECT count(*) AS count FROM dead_letters');
  const expire = db.prepare(
    `DELETE FROM chat_logs WHERE rowid IN (
       SELECT rowid FROM chat_logs WHERE agent_name = ? AND "timestamp" < ? ORDER BY "timestamp" LIMIT ${EXPIRE_BATCH})`,
  );
  const buryOld = db.prepare('DELETE FROM dead_letters WHERE refused_at < ?');
  const reportDead = (): void => onDeadLetters(Number(countDead.get()?.['count']));
  reportDead();

  /** A record that cannot be a row does not take the others of its batch along. @returns whether there was one, and the ids whose rows are others' */
  const addEach = (records: readonly LogRecord[]): { dead: boolean; reused: readonly string[] } => {
    const reused: string[] = [];
    let dead = false;
    for (const record of records) {
      try {
        const isRow = Number(insert.run(...sqliteValues(record)).changes) === 1;
        if (!isRow && isReused.get(record.interaction_id, record.timestamp) !== undefined) reused.push(record.interaction_id);
      } catch (error) {
        const reason = dataError(error);
        if (reason === null) throw error;
        bury.run(reason, JSON.stringify(record));
        dead = true;
      }
    }
    return { dead, reused };
  };

  return {
    async add(records) {
      const { dead, reused } = transaction(db, () => addEach(records.map(storable)));
      if (dead) reportDead();
      if (reused.length > 0) onReused(reused);
    },
    async work() {},
    async settle() {},
    async expire(days) {
      const before = new Date(Date.now() - days * 86_400_000).toISOString();
      buryOld.run(before);
      return Number(expire.run(agentName, before).changes) === EXPIRE_BATCH;
    },
    async maintain() {
      db.exec('PRAGMA optimize');
      reportDead();
    },
    async close() {
      db.close();
    },
  };
}

function migrate(db: DatabaseSync): void {
  const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
  if (version > MIGRATIONS.length) throw newerDatabase(version, MIGRATIONS.length);
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = ${MAX_WAL_BYTES}`);
  for (const [index, sql] of MIGRATIONS.entries()) {
    if (index >= version) transaction(db, () => db.exec(`${sql} PRAGMA user_version = ${index + 1}`));
  }
}

function transaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

/** @returns what SQLite said, where it is the record's fault; else null */
function dataError(error: unknown): string | null {
  // A value that is of no type of SQLite's is refused before it is asked.
  if (error instanceof TypeError) return 'a value is of no type that can be stored';
  const { errcode } = error as { readonly errcode?: number };
  return errcode !== undefined && DATA_ERRORS.includes(errcode & 0xff) ? `SQLite answered with the error ${errcode}` : null;
}
