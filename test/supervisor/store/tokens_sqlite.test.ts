// Tokens in the embedded store: in the file before they hold, read once, and no more of them than there may be.
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t, { type Test } from 'tap';
import { MAX_TOKENS, type StoredToken } from '../../../supervisor/store/tokens.ts';
import { openEmbeddedStore } from '../../../supervisor/store/embedded.ts';
import { sqliteTokens } from '../../../supervisor/store/tokens_sqlite.ts';
import { makeFolder } from '../../helpers/folder.ts';

function tokenOf(id: string, fields: Partial<StoredToken> = {}): StoredToken {
  const digest = new Uint8Array(32).fill(7);
  return { id, digest, name: null, userId: null, scopes: ['chat'], createdAt: 1, expiresAt: null, lastUsedAt: null, useCount: 0, ...fields };
}

async function open(t: Test) {
  const file = join(await makeFolder(t), 'state.db');
  const store = openEmbeddedStore(file);
  let isOpen = true;
  const close = (): void => {
    if (isOpen) store.close();
    isOpen = false;
  };
  t.teardown(close);
  return { file, tokens: store.tokens, close };
}

t.test('what was put in comes back after a restart, in the order in which it was made', async (t) => {
  const { file, tokens, close } = await open(t);
  const all = [
    tokenOf('z', { name: 'Zoë’s “laptop”', userId: 'zoë', scopes: ['chat', 'logs:all'], createdAt: 5, expiresAt: 9 }),
    tokenOf('a', { createdAt: 5 }),
    tokenOf('b', { createdAt: 4, lastUsedAt: 8, useCount: 3 }),
  ];
  for (const token of all) t.equal(await tokens.add(token), true);
  t.strictSame(await tokens.find('z'), all[0]);
  close();
  const again = openEmbeddedStore(file);
  t.strictSame(await again.tokens.list(), [all[2], all[0], all[1]]);
  t.strictSame([await again.tokens.find('a'), await again.tokens.find('nobody')], [all[1], null]);
  again.close();
});

t.test('a deleted one is gone, from the file too', async (t) => {
  const { file, tokens, close } = await open(t);
  await tokens.add(tokenOf('a'));
  await tokens.add(tokenOf('b'));
  t.strictSame([await tokens.delete('a'), await tokens.delete('a'), await tokens.delete('nobody')], [true, false, false]);
  t.equal(await tokens.find('a'), null);
  close();
  const again = openEmbeddedStore(file);
  t.strictSame((await again.tokens.list()).map(({ id }) => id), ['b']);
  again.close();
});

t.test('uses add up; those of a token that is gone count for nothing', async (t) => {
  const { file, tokens, close } = await open(t);
  await tokens.add(tokenOf('a', { useCount: 5 }));
  await tokens.addUses(new Map([['a', { count: 2, lastUsedAt: 10 }], ['gone', { count: 9, lastUsedAt: 10 }]]));
  await tokens.addUses(new Map([['a', { count: 1, lastUsedAt: 20 }]]));
  t.match(await tokens.find('a'), { useCount: 8, lastUsedAt: 20 });
  close();
  const again = openEmbeddedStore(file);
  t.match(await again.tokens.list(), [{ id: 'a', useCount: 8, lastUsedAt: 20 }]);
  again.close();
});

t.test('what makes or ends a token is on the disk before it holds; uses need not be', async (t) => {
  const { file, close } = await open(t);
  close();
  const db = new DatabaseSync(file);
  t.teardown(() => db.close());
  db.exec('PRAGMA synchronous = NORMAL');
  const levels: [verb: string, synchronous: unknown][] = [];
  const prepare = (sql: string): object => {
    const statement = db.prepare(sql);
    const run = (...values: never[]): unknown => {
      levels.push([sql.trim().split(/\s/)[0] ?? '', db.prepare('PRAGMA synchronous').get()?.['synchronous']]);
      return statement.run(...values);
    };
    return { run, all: () => statement.all() };
  };
  const watched = { prepare, exec: (sql: string) => db.exec(sql), get isTransaction() { return db.isTransaction; } };
  const tokens = sqliteTokens(watched as unknown as DatabaseSync);
  tokens.add(tokenOf('a'));
  tokens.addUses(new Map([['a', { count: 1, lastUsedAt: 1 }]]));
  t.throws(() => tokens.add(tokenOf('a')), /UNIQUE/);
  tokens.delete('a');
  tokens.addUses(new Map([['a', { count: 1, lastUsedAt: 1 }]]));
  const [NORMAL, FULL] = [1, 2];
  t.strictSame(levels, [['INSERT', FULL], ['UPDATE', NORMAL], ['INSERT', FULL], ['DELETE', FULL], ['UPDATE', NORMAL]]);
});

t.test('expired ones are deleted up to a time', async (t) => {
  const { tokens } = await open(t);
  for (const [id, expiresAt] of [['a', 10], ['b', 11], ['c', null]] as const) await tokens.add(tokenOf(id, { expiresAt }));
  await tokens.deleteExpired(10);
  t.strictSame((await tokens.list()).map(({ id }) => id), ['b', 'c']);
});

t.test('what cannot be written does not hold', async (t) => {
  const { file, tokens } = await open(t);
  await tokens.add(tokenOf('a'));
  const other = new DatabaseSync(file);
  t.teardown(() => other.close());
  other.exec('BEGIN IMMEDIATE');
  t.throws(() => tokens.add(tokenOf('b')), /locked/);
  t.throws(() => tokens.delete('a'), /locked/);
  t.throws(() => tokens.addUses(new Map([['a', { count: 1, lastUsedAt: 1 }]])), /locked/);
  t.strictSame(await tokens.list(), [tokenOf('a')]);
  other.exec('ROLLBACK');
  await tokens.addUses(new Map([['a', { count: 1, lastUsedAt: 1 }]]));
  t.match(await tokens.find('a'), { useCount: 1 });
});

t.test('there are ten thousand at most', async (t) => {
  const { file, close } = await open(t);
  close();
  const db = new DatabaseSync(file);
  db.exec(`
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${MAX_TOKENS - 1})
    INSERT INTO tokens SELECT 't' || n, zeroblob(32), NULL, NULL, 'chat', n, NULL, NULL, 0 FROM numbers`);
  db.close();
  const again = openEmbeddedStore(file);
  t.teardown(() => again.close());
  t.strictSame([await again.tokens.add(tokenOf('last')), await again.tokens.add(tokenOf('more'))], [true, false]);
  await again.tokens.delete('t1');
  t.equal(await again.tokens.add(tokenOf('more')), true);
});
