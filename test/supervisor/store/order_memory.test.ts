// The order within a session: one after another, as they came; sessions do not wait for each other.
import t from 'tap';
import { memoryOrder } from '../../../supervisor/store/order_memory.ts';
import type { Place, SessionOrder } from '../../../supervisor/store/order.ts';

const nobody = (): undefined => undefined;

function enterAll(order: SessionOrder, session: string, names: readonly string[]): { begun: string[]; places: Map<string, Place> } {
  const begun: string[] = [];
  const places = new Map(
    names.map((name) => {
      const place = order.enter(session, 'me', false) as Place;
      place.whenTurn(() => begun.push(name), nobody);
      return [name, place];
    }),
  );
  return { begun, places };
}

t.test('the first begins at once, the next when it has left, in the order in which they came', async (t) => {
  const { begun, places } = enterAll(memoryOrder(nobody), 's', ['a', 'b', 'c']);
  t.strictSame(begun, ['a']);
  t.strictSame([...places.values()].map(({ mustWait }) => mustWait), [false, true, true]);
  places.get('a')?.leave();
  t.strictSame(begun, ['a', 'b']);
  places.get('a')?.leave();
  t.strictSame(begun, ['a', 'b'], 'who has left cannot leave again');
  places.get('b')?.leave();
  t.strictSame(begun, ['a', 'b', 'c']);
  t.equal(new Set([...places.values()].map(({ ticket }) => ticket)).size, 3);
});

t.test('whoever comes when the last has left need not wait', async (t) => {
  const order = memoryOrder(nobody);
  enterAll(order, 's', ['a']).places.get('a')?.leave();
  t.strictSame(enterAll(order, 's', ['b']).begun, ['b']);
});

t.test('a session does not wait for another', async (t) => {
  const order = memoryOrder(nobody);
  enterAll(order, 's', ['a']);
  t.strictSame(enterAll(order, 'other', ['b']).begun, ['b']);
});

t.test('who waits can leave, and never begins then', async (t) => {
  const { begun, places } = enterAll(memoryOrder(nobody), 's', ['a', 'b', 'c']);
  places.get('b')?.leave();
  places.get('a')?.leave();
  t.strictSame(begun, ['a', 'c']);
});

t.test('a turn that came before anybody asked for it is not lost', async (t) => {
  const order = memoryOrder(nobody);
  const first = order.enter('s', 'me', false) as Place;
  const second = order.enter('s', 'me', false) as Place;
  first.leave();
  let begun = false;
  second.whenTurn(() => {
    begun = true;
  }, nobody);
  t.ok(begun);
});

t.test('a session belongs to whoever it is stored for, or began it', async (t) => {
  const order = memoryOrder((sessionId) => (sessionId === 'stored' ? 'somebody' : undefined));
  t.throws(() => order.enter('stored', 'me', false), { code: 'SESSION_TAKEN' });
  t.ok(order.enter('stored', 'somebody', false));
  t.ok(order.enter('s', 'me', false));
  t.throws(() => order.enter('s', 'somebody', false), { code: 'SESSION_TAKEN' });
});

t.test('at most 128 wait for a session', async (t) => {
  const order = memoryOrder(nobody);
  const { places } = enterAll(order, 's', Array.from({ length: 129 }, (_, i) => `${i}`));
  t.throws(() => order.enter('s', 'me', false), { code: 'SESSION_BUSY' });
  places.get('7')?.leave();
  t.ok(order.enter('s', 'me', false));
  t.ok(order.enter('other', 'me', false));
});
