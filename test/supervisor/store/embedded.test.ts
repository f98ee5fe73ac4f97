// The file of the embedded store: new, of an older version, of a newer one, of somebody else.
import { chmod, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t, { type Test } from 'tap';
import { openEmbeddedStore } from '../../../supervisor/store/embedded.ts';
import { makeFolder } from '../../helpers/folder.ts';

/** The tables of version 1, as they were. */
const VERSION_1 = `
  CREATE TABLE sessions (
    number INTEGER PRIMARY KEY, session_id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, user_id TEXT NOT NULL, created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, turn_count INTEGER NOT NULL, item_count INTEGER NOT NULL, bytes INTEGER NOT NULL
  );
  CREATE INDEX sessions_by_expiry ON sessions (expires_at);
  CREATE TABLE turns (
    session INTEGER NOT NULL, turn INTEGER NOT NULL, items TEXT NOT NULL, item_count INTEGER NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY (session, turn)
  );
  INSERT INTO sessions VALUES (1, 'kept', 'anonymous', 'user', 1, 1, 9e15, 1, 1, 5);
  INSERT INTO turns VALUES (1, 1, '["a"]', 1, 5);
  PRAGMA user_version = 1;
`;
const TOKEN = {
  id: 'a', digest: new Uint8Array(32), name: null, userId: null, scopes: ['chat'], createdAt: 1, expiresAt: null, lastUsedAt: null, useCount: 0,
} as const;

const fileIn = async (t: Test): Promise<string> => join(await makeFolder(t), 'state.db');

function execIn(file: string, sql: string): void {
  const db = new DatabaseSync(file);
  db.exec(sql);
  db.close();
}

function versionOf(file: string): unknown {
  const db = new DatabaseSync(file, { readOnly: true });
  const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number };
  db.close();
  return version;
}

t.test('a file of version 1 keeps its sessions, and takes tokens from now on', async (t) => {
  const file = await fileIn(t);
  execIn(file, `PRAGMA journal_mode = WAL; ${VERSION_1}`);
  const store = openEmbeddedStore(file);
  t.match(store.sessions.read('kept', Date.now()), { owner: 'anonymous', turns: ['["a"]'] });
  t.strictSame(store.tokens.list(), []);
  t.equal(store.tokens.add(TOKEN), true);
  store.close();
  t.equal(versionOf(file), 2);
  const again = openEmbeddedStore(file);
  t.strictSame([again.sessions.history('kept', 9, 0).turns, (await again.tokens.list()).length], [['["a"]'], 1]);
  again.close();
});

t.test('one of a newer version, or of somebody else, is refused and left as it is', async (t) => {
  const newer = await fileIn(t);
  execIn(newer, 'CREATE TABLE other (a); PRAGMA user_version = 3;');
  t.throws(() => openEmbeddedStore(newer), { message: 'its tables are of version 3, expected 2' });
  t.equal(versionOf(newer), 3);
  const other = await fileIn(t);
  execIn(other, 'CREATE TABLE other (a);');
  t.throws(() => openEmbeddedStore(other), { message: 'its tables are of version 0, expected 2' });
  t.equal(versionOf(other), 0);
});

t.test('the file, and the log beside it, are their owner\'s alone', async (t) => {
  const file = await fileIn(t);
  await chmod(join(file, '..'), 0o755);
  const store = openEmbeddedStore(file);
  store.tokens.add(TOKEN);
  for (const name of [file, `${file}-wal`, `${file}-shm`]) t.equal((await stat(name)).mode & 0o777, 0o600, name);
  store.close();
});
