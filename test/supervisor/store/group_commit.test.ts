// Turns of one tick are committed together, and one that cannot be written takes none of the others along.
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t from 'tap';
import type { NewTurn } from '../../../supervisor/store/session.ts';
import { openEmbeddedStore } from '../../../supervisor/store/embedded.ts';
import { makeFolder } from '../../helpers/folder.ts';

const NOW = 1_700_000_000_000;

function turnOf(sessionId: string, fields: Partial<NewTurn> = {}): NewTurn {
  return { sessionId, owner: 'me', userId: 'u', isFirst: false, items: '["x"]', itemCount: 1, now: NOW, ttlMs: 1000, firstTtlMs: 1000, ...fields };
}

t.test('turns of one tick are seen together by whoever reads the file, and by nobody before', async (t) => {
  const file = join(await makeFolder(t), 'state.db');
  const embedded = openEmbeddedStore(file);
  const reader = new DatabaseSync(file, { readOnly: true });
  t.teardown(() => [reader, embedded].forEach((each) => each.close()));
  const count = () => Number((reader.prepare('SELECT count(*) AS count FROM turns').get() as { count: number }).count);
  const seen: number[] = [];
  const appends = Array.from({ length: 50 }, (_, i) => embedded.sessions.append(turnOf(`s${i % 10}`)).then(() => seen.push(count())));
  t.equal(count(), 0);
  await Promise.all(appends);
  t.strictSame(new Set(seen), new Set([50]));
});

t.test('a turn that cannot be written fails alone', async (t) => {
  const embedded = openEmbeddedStore(join(await makeFolder(t), 'state.db'));
  t.teardown(() => embedded.close());
  const store = embedded.sessions;
  await store.append(turnOf('taken'));
  const outcomes = await Promise.allSettled([
    store.append(turnOf('a')),
    store.append(turnOf('taken', { isFirst: true })),
    store.append(turnOf('b', { isFirst: true })),
    store.append(turnOf('a')),
  ]);
  t.strictSame(outcomes.map(({ status }) => status), ['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
  t.strictSame(['a', 'b', 'taken'].map((id) => store.history(id, 1, NOW).turnCount), [2, 1, 1]);
});
