// The embedded store: whole turns within their bounds, expiry, and commits that do not take each other along.
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t, { type Test } from 'tap';
import { MAX_SESSION_BYTES, MAX_SESSION_ITEMS, type NewTurn } from '../../../supervisor/store/session.ts';
import { openEmbeddedStore } from '../../../supervisor/store/embedded.ts';
import { makeFolder } from '../../helpers/folder.ts';

const NOW = 1_700_000_000_000;
const LATER = { ttlMs: 1000, firstTtlMs: 100 };

async function open(t: Test) {
  const embedded = openEmbeddedStore(join(await makeFolder(t), 'state.db'));
  t.teardown(() => embedded.close());
  const store = embedded.sessions;
  const append = (sessionId: string, items: string, itemCount = 1, now = NOW) => {
    const turn: NewTurn = { sessionId, owner: 'me', userId: 'user', isFirst: false, items, itemCount, now, ...LATER };
    return store.append(turn);
  };
  return { store, append };
}

t.test('turns come back in their order, the newest whole ones up to so many items', async (t) => {
  const { store, append } = await open(t);
  for (const [items, count] of [['["a"]', 1], ['["b","b"]', 2], ['["c"]', 1]] as const) await append('one', items, count);
  t.strictSame(store.history('one', 200, NOW).turns, ['["a"]', '["b","b"]', '["c"]']);
  t.strictSame(store.history('one', 3, NOW).turns, ['["b","b"]', '["c"]']);
  t.strictSame(store.history('one', 2, NOW).turns, ['["c"]'], 'a turn that does not fit whole ends it');
  t.strictSame(store.history('one', 0, NOW).turns, []);
  t.strictSame(store.history('other', 200, NOW).turns, []);
  t.strictSame(store.read('one', NOW), { owner: 'me', userId: 'user', createdAt: NOW, updatedAt: NOW, turns: ['["a"]', '["b","b"]', '["c"]'] });
});

t.test('beyond 2,000 items the oldest whole turns are dropped, and still counted', async (t) => {
  const { store, append } = await open(t);
  await append('one', '["old"]', 900);
  await append('one', '["older than new"]', 900);
  await append('one', '["new"]', 300);
  t.strictSame(store.history('one', MAX_SESSION_ITEMS, NOW).turns, ['["older than new"]', '["new"]']);
  t.equal(store.history('one', 1, NOW).turnCount, 3);
});

t.test('beyond 8 MiB too, in bytes', async (t) => {
  const { store, append } = await open(t);
  const big = (sign: string) => JSON.stringify([sign.repeat(MAX_SESSION_BYTES / 4)]);
  for (const sign of ['é', 'a', 'b', 'c']) await append('one', big(sign));
  t.strictSame(store.history('one', 200, NOW).turns.map((turn) => turn[2]), ['a', 'b', 'c']);
});

t.test('a turn that is too large for any session is refused, and those of its tick are kept', async (t) => {
  const { store, append } = await open(t);
  const before = append('one', '["a"]');
  await t.rejects(append('one', '[]', MAX_SESSION_ITEMS + 1), /more than a session may hold/);
  await t.rejects(append('one', 'x'.repeat(MAX_SESSION_BYTES + 1)), /more than a session may hold/);
  await Promise.all([before, append('two', '["b"]')]);
  t.strictSame([store.history('one', 9, NOW).turns, store.history('two', 9, NOW).turns], [['["a"]'], ['["b"]']]);
});

t.test('a session expires after its first turn\'s time, then after each turn\'s', async (t) => {
  const { store, append } = await open(t);
  await append('one', '["a"]');
  t.ok(store.owner('one', NOW + 99));
  t.equal(store.owner('one', NOW + 100), undefined);
  t.equal(store.read('one', NOW + 100), null);
  await append('one', '["b"]', 1, NOW + 50);
  t.ok(store.owner('one', NOW + 50 + 999));
  t.equal(store.owner('one', NOW + 50 + 1000), undefined);
});

t.test('one that has expired does not live on under the same name', async (t) => {
  const { store, append } = await open(t);
  await append('one', '["a"]');
  await append('one', '["b"]', 1, NOW + 5000);
  t.strictSame(store.history('one', 9, NOW).turns, ['["b"]']);
  t.match(store.read('one', NOW + 5000), { createdAt: NOW + 5000 });
});

t.test('the sweep deletes what has expired, some at a time', async (t) => {
  const { store, append } = await open(t);
  await Promise.all(Array.from({ length: 250 }, (_, index) => append(`s${index}`, '["a"]')));
  await append('kept', '["a"]', 1, NOW + 1000);
  t.equal(store.sweep(NOW + 1000), true, 'there are more');
  t.equal(store.sweep(NOW + 1000), false);
  t.strictSame([store.history('s0', 9, NOW).turns, store.history('s249', 9, NOW).turns, store.history('kept', 9, NOW).turns], [[], [], ['["a"]']]);
});

t.test('the sweep takes no more at once than it can delete in a moment, be it one large session, or many turns', async (t) => {
  const MiB = 1024 * 1024;
  const file = join(await makeFolder(t), 'state.db');
  const embedded = openEmbeddedStore(file);
  t.teardown(() => embedded.close());
  const reader = new DatabaseSync(file, { readOnly: true });
  t.teardown(() => reader.close());
  const what = reader.prepare('SELECT count(*) AS turns, coalesce(sum(bytes), 0) AS bytes FROM turns');
  const left = () => what.get() as { turns: number; bytes: number };
  const append = (sessionId: string, items: string, now = NOW) =>
    embedded.sessions.append({ sessionId, owner: 'me', userId: 'user', isFirst: false, items, itemCount: 1, now, ...LATER });
  for (const session of ['a', 'b', 'c', 'd']) await Promise.all(Array.from({ length: 7 }, () => append(session, 'x'.repeat(MiB))));
  await Promise.all(Array.from({ length: 10_000 }, (_none, i) => append(`s${i % 10}`, '["a"]')));
  await append('kept', '["a"]', NOW + 1000);
  let [before, more] = [left(), true];
  while (more) {
    more = embedded.sessions.sweep(NOW + 1000);
    const now = left();
    t.ok(before.bytes - now.bytes <= 5 * MiB && before.turns - now.turns <= 4096, `${before.turns - now.turns} turns of ${before.bytes - now.bytes} bytes`);
    before = now;
  }
  t.equal(before.turns, 1, 'and leaves nothing of what has expired');
});

t.test('a deleted session is gone with its turns', async (t) => {
  const { store, append } = await open(t);
  await append('one', '["a"]');
  store.delete('one');
  t.equal(store.owner('one', NOW), undefined);
  t.strictSame(store.history('one', 9, NOW).turns, []);
});

t.test('what was appended is committed when it closes', async (t) => {
  const file = join(await makeFolder(t), 'state.db');
  const store = openEmbeddedStore(file);
  const turn: NewTurn = { sessionId: 'one', owner: 'me', userId: 'user', isFirst: true, items: '["a"]', itemCount: 1, now: NOW, ...LATER };
  const appended = store.sessions.append(turn);
  store.close();
  await appended;
  const again = openEmbeddedStore(file);
  t.strictSame(again.sessions.history('one', 9, NOW).turns, ['["a"]']);
  again.close();
});

t.test('a file that is no database is refused', async (t) => {
  const folder = await makeFolder(t, { 'state.db': 'this is no database, however long it is read, and it is longer than a header'.repeat(20) });
  t.throws(() => openEmbeddedStore(join(folder, 'state.db')), /not a database/);
});
