// The sessions of the embedded store.
import type { DatabaseSync } from 'node:sqlite';
import { checkTurn, type NewTurn, type SessionHistory, type SessionStore, type StoredSession } from './session.ts';
import { MAX_SESSION_BYTES, MAX_SESSION_ITEMS } from './session.ts';

/** Turns are filed by the session's number, not its name: those of new sessions then lie side by side, in few pages, whatever their names are. */
export const SESSIONS_SCHEMA = `
  CREATE TABLE IF NOT EXISTS sessions (
    number INTEGER PRIMARY KEY,
    session_id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    user_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    turn_count INTEGER NOT NULL,
    item_count INTEGER NOT NULL,
    bytes INTEGER NOT NULL
  );
  CREATE INDEX IF NOT EXISTS sessions_by_expiry ON sessions (expires_at);
  CREATE TABLE IF NOT EXISTS turns (
    session INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    items TEXT NOT NULL,
    item_count INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (session, turn)
  );
`;

/** Deleted in one go of the sweep, so that it never holds the event loop for longer than some ms: so many sessions, of so many bytes together. */
const SWEEP_SESSIONS = 200;
const SWEEP_BYTES = 4 * 1024 * 1024;
/** What a turn takes to delete beside its bytes, in bytes that take as long. */
const SWEEP_TURN_BYTES = 1024;

interface PendingAppend {
  readonly turn: NewTurn;
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Answers at once; those of a network do not. */
export interface EmbeddedSessions extends SessionStore {
  owner(sessionId: string, now: number): string | undefined;
  history(sessionId: string, maxItems: number, now: number): SessionHistory;
  read(sessionId: string, now: number): StoredSession | null;
  append(turn: NewTurn): Promise<void>;
  delete(sessionId: string): boolean;
  /** Deletes expired sessions, some at a time. @returns whether there may be more */
  sweep(now: number): boolean;
  /** Commits now what was appended in this tick. */
  commit(): void;
}

/** @param db with the tables of `SESSIONS_SCHEMA` */
export function sqliteSessions(db: DatabaseSync): EmbeddedSessions {
  const begin = db.prepare('BEGIN IMMEDIATE');
  const commit = db.prepare('COMMIT');
  const findHead = db.prepare('SELECT owner, user_id, turn_count FROM sessions WHERE session_id = ? AND expires_at > ?');
  const newestTurns = db.prepare('SELECT items, item_count FROM turns WHERE session = (SELECT number FROM sessions WHERE session_id = ?) ORDER BY turn DESC');
  const readHead = db.prepare('SELECT owner, user_id, created_at, updated_at FROM sessions WHERE session_id = ? AND expires_at > ?');
  const allTurns = db.prepare('SELECT items FROM turns WHERE session = (SELECT number FROM sessions WHERE session_id = ?) ORDER BY turn');
  const insertSession = db.prepare(`
    INSERT INTO sessions (session_id, owner, user_id, created_at, updated_at, expires_at, turn_count, item_count, bytes)
    VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?)`);
  const upsert = db.prepare(`
    INSERT INTO sessions (session_id, owner, user_id, created_at, updated_at, expires_at, turn_count, item_count, bytes)
    VALUES (:id, :owner, :user, :now, :now, :expires, 1, :items, :bytes)
    ON CONFLICT (session_id) DO UPDATE SET updated_at = excluded.updated_at, expires_at = :laterExpires, turn_count = turn_count + 1,
      item_count = item_count + excluded.item_count, bytes = bytes + excluded.bytes
    RETURNING number, turn_count, item_count, bytes`);
  const insertTurn = db.prepare('INSERT INTO turns (session, turn, items, item_count, bytes) VALUES (?, ?, ?, ?, ?)');
  const oldestTurns = db.prepare('SELECT turn, item_count, bytes FROM turns WHERE session = ? ORDER BY turn');
  const deleteTurn = db.prepare('DELETE FROM turns WHERE session = ? AND turn = ?');
  const setSize = db.prepare('UPDATE sessions SET item_count = ?, bytes = ? WHERE number = ?');
  const deleteTurns = db.prepare('DELETE FROM turns WHERE session = (SELECT number FROM sessions WHERE session_id = ?)');
  const deleteSession = db.prepare('DELETE FROM sessions WHERE session_id = ?');
  const expired = db.prepare('SELECT number FROM sessions WHERE expires_at <= ? ORDER BY expires_at LIMIT ?');
  // The column `bytes` lies behind the items: to read it takes as long as to read those.
  const turnSizes = db.prepare('SELECT turn, octet_length(items) AS bytes FROM turns WHERE session = ? ORDER BY turn');
  const deleteTurnsTo = db.prepare('DELETE FROM turns WHERE session = ? AND turn <= ?');
  const deleteNumber = db.prepare('DELETE FROM sessions WHERE number = ?');

  const transaction = (work: () => void): void => {
    begin.run();
    try {
      work();
      commit.run();
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw error;
    }
  };

  const remove = (sessionId: string): void => {
    deleteTurns.run(sessionId);
    deleteSession.run(sessionId);
  };

  /** Deletes a session, or its oldest turns where all of it is too much at once. @returns how many bytes are left to delete */
  const deleteSome = (session: number, most: number): number => {
    let left = most;
    let last: number | undefined;
    for (const { turn, bytes } of turnSizes.iterate(session) as Iterable<{ turn: number; bytes: number }>) {
      if (left <= 0) {
        deleteTurnsTo.run(session, last ?? 0);
        return left;
      }
      last = turn;
      left -= bytes + SWEEP_TURN_BYTES;
    }
    deleteTurnsTo.run(session, last ?? 0);
    deleteNumber.run(session);
    return left;
  };

  const dropOldest = (session: number, itemCount: number, bytes: number): void => {
    let items = itemCount;
    let size = bytes;
    for (const row of oldestTurns.all(session) as { turn: number; item_count: number; bytes: number }[]) {
      if (items <= MAX_SESSION_ITEMS && size <= MAX_SESSION_BYTES) break;
      deleteTurn.run(session, row.turn);
      items -= row.item_count;
      size -= row.bytes;
    }
    setSize.run(items, size, session);
  };

  const write = ({ turn, bytes }: PendingAppend): void => {
    if (turn.isFirst) {
      const { sessionId, owner, userId, now, firstTtlMs, itemCount } = turn;
      const { lastInsertRowid } = insertSession.run(sessionId, owner, userId, now, now, now + firstTtlMs, itemCount, bytes);
      insertTurn.run(lastInsertRowid, 1, turn.items, itemCount, bytes);
      return;
    }
    // An expired session that the sweep has not met yet must not live on under the same name.
    if (findHead.get(turn.sessionId, turn.now) === undefined) remove(turn.sessionId);
    const size = upsert.get({
      id: turn.sessionId,
      owner: turn.owner,
      user: turn.userId,
      now: turn.now,
      expires: turn.now + turn.firstTtlMs,
      laterExpires: turn.now + turn.ttlMs,
      items: turn.itemCount,
      bytes,
    }) as { number: number; turn_count: number; item_count: number; bytes: number };
    insertTurn.run(size.number, size.turn_count, turn.items, turn.itemCount, bytes);
    if (size.item_count > MAX_SESSION_ITEMS || size.bytes > MAX_SESSION_BYTES) dropOldest(size.number, size.item_count, size.bytes);
  };

  let pending: PendingAppend[] = [];
  const commitPending = (): void => {
    const batch = pending;
    pending = [];
    if (batch.length === 0) return;
    try {
      transaction(() => batch.forEach(write));
      batch.forEach(({ resolve }) => resolve());
    } catch {
      batch.forEach(commitAlone);
    }
  };
  /** One turn that cannot be written does not take the others of its tick along. */
  const commitAlone = (append: PendingAppend): void => {
    try {
      transaction(() => write(append));
      append.resolve();
    } catch (error) {
      append.reject(error);
    }
  };

  return {
    owner(sessionId, now) {
      return (findHead.get(sessionId, now) as { owner: string } | undefined)?.owner;
    },
    history(sessionId, maxItems, now) {
      const head = findHead.get(sessionId, now) as { turn_count: number } | undefined;
      const turns: string[] = [];
      if (head === undefined) return { turnCount: 0, turns };
      let left = maxItems;
      for (const row of newestTurns.iterate(sessionId) as Iterable<{ items: string; item_count: number }>) {
        left -= row.item_count;
        if (left < 0) break;
        turns.push(row.items);
      }
      return { turnCount: head.turn_count, turns: turns.reverse() };
    },
    read(sessionId, now) {
      const row = readHead.get(sessionId, now) as { owner: string; user_id: string; created_at: number; updated_at: number } | undefined;
      if (row === undefined) return null;
      const turns = (allTurns.all(sessionId) as { items: string }[]).map(({ items }) => items);
      return { owner: row.owner, userId: row.user_id, createdAt: row.created_at, updatedAt: row.updated_at, turns };
    },
    append(turn) {
      return new Promise((resolve, reject) => {
        const bytes = checkTurn(turn);
        pending.push({ turn, bytes, resolve, reject });
        if (pending.length === 1) setImmediate(commitPending);
      });
    },
    delete(sessionId) {
      const known = findHead.get(sessionId, Date.now()) !== undefined;
      transaction(() => remove(sessionId));
      return known;
    },
    sweep(now) {
      const sessions = (expired.all(now, SWEEP_SESSIONS) as { number: number }[]).map((row) => row.number);
      let left = SWEEP_BYTES;
      const sweepSome = (): void => {
        for (const session of sessions) if (left > 0) left = deleteSome(session, left);
      };
      if (sessions.length > 0) transaction(sweepSome);
      return left <= 0 || sessions.length === SWEEP_SESSIONS;
    },
    commit: commitPending,
  };
}
