// The tokens of the embedded store: all in memory, as each request asks for one, and every change in the file before it holds.
import type { DatabaseSync } from 'node:sqlite';
import type { Scope } from '../access/scopes.ts';
import { MAX_TOKENS, type StoredToken, type TokenStore, type TokenUse } from './tokens.ts';

export const TOKENS_SCHEMA = `
  CREATE TABLE IF NOT EXISTS tokens (
    id TEXT NOT NULL PRIMARY KEY,
    digest BLOB NOT NULL,
    name TEXT,
    user_id TEXT,
    scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used_at INTEGER,
    use_count INTEGER NOT NULL
  );
`;

interface Row {
  readonly id: string;
  readonly digest: Uint8Array;
  readonly name: string | null;
  readonly user_id: string | null;
  /** Separated by spaces. */
  readonly scopes: string;
  readonly created_at: number;
  readonly expires_at: number | null;
  readonly last_used_at: number | null;
  readonly use_count: number;
}

/** @param db with the table of `TOKENS_SCHEMA`, written by this process only */
export function sqliteTokens(db: DatabaseSync): TokenStore {
  const insert = db.prepare(`
    INSERT INTO tokens (id, digest, name, user_id, scopes, created_at, expires_at, last_used_at, use_count) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  const remove = db.prepare('DELETE FROM tokens WHERE id = ?');
  const use = db.prepare('UPDATE tokens SET use_count = use_count + ?, last_used_at = ? WHERE id = ?');
  const removeExpired = db.prepare('DELETE FROM tokens WHERE expires_at <= ?');
  /**
   * Runs what makes or ends tokens, and has it on the disk before it returns: a machine that loses power must not bring back what was revoked. It costs
   * a few ms, rarely; what else is written here may be lost with the last moments.
   */
  const durably = <T>(change: () => T): T => {
    db.exec('PRAGMA synchronous = FULL');
    try {
      return change();
    } finally {
      db.exec('PRAGMA synchronous = NORMAL');
    }
  };
  const rows = db.prepare('SELECT * FROM tokens ORDER BY created_at, rowid').all() as unknown as Row[];
  const tokens = new Map(rows.map((row) => [row.id, tokenOf(row)]));

  return {
    isUp: true,
    find: (id) => tokens.get(id) ?? null,
    findNow: null,
    add(token) {
      if (tokens.size >= MAX_TOKENS) return false;
      const { id, digest, name, userId, scopes, createdAt, expiresAt, lastUsedAt, useCount } = token;
      durably(() => insert.run(id, digest, name, userId, scopes.join(' '), createdAt, expiresAt, lastUsedAt, useCount));
      tokens.set(id, token);
      return true;
    },
    list: () => [...tokens.values()],
    delete(id) {
      durably(() => remove.run(id));
      return tokens.delete(id);
    },
    addUses(uses) {
      db.exec('BEGIN IMMEDIATE');
      try {
        for (const [id, { count, lastUsedAt }] of uses) use.run(count, lastUsedAt, id);
        db.exec('COMMIT');
      } catch (error) {
        if (db.isTransaction) db.exec('ROLLBACK');
        throw error;
      }
      for (const [id, added] of uses) countUse(tokens, id, added);
    },
    deleteExpired(before) {
      removeExpired.run(before);
      for (const { id, expiresAt } of tokens.values()) if (expiresAt !== null && expiresAt <= before) tokens.delete(id);
    },
  };
}

function countUse(tokens: Map<string, StoredToken>, id: string, { count, lastUsedAt }: TokenUse): void {
  const token = tokens.get(id);
  if (token !== undefined) tokens.set(id, { ...token, useCount: token.useCount + count, lastUsedAt });
}

function tokenOf(row: Row): StoredToken {
  const { id, digest, name } = row;
  const times = { createdAt: row.created_at, expiresAt: row.expires_at, lastUsedAt: row.last_used_at };
  return { id, digest, name, userId: row.user_id, scopes: row.scopes.split(' ') as Scope[], ...times, useCount: row.use_count };
}
