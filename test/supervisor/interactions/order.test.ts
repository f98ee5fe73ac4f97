// The order within a session: one after another, as they came; sessions do not wait for each other.
import t from 'tap';
import { SessionOrder } from '../../../supervisor/interactions/order.ts';

function enterAll(order: SessionOrder, session: string, names: readonly string[]): { begun: string[]; leave: Map<string, () => boolean> } {
  const begun: string[] = [];
  const leave = new Map(names.map((name) => [name, order.enter(session, `owner of ${name}`, () => begun.push(name))]));
  return { begun, leave };
}

t.test('the first begins at once, the next when it has left, in the order in which they came', async (t) => {
  const order = new SessionOrder();
  const { begun } = enterAll(order, 's', ['a', 'b', 'c']);
  t.strictSame(begun, ['a']);
  order.leave('s');
  t.strictSame(begun, ['a', 'b']);
  order.leave('s');
  t.strictSame(begun, ['a', 'b', 'c']);
  t.ok(order.isBusy('s'));
  order.leave('s');
  t.notOk(order.isBusy('s'));
  order.leave('s');
});

t.test('a session does not wait for another', async (t) => {
  const order = new SessionOrder();
  const { begun } = enterAll(order, 's', ['a']);
  enterAll(order, 'other', ['b']);
  t.strictSame(begun, ['a']);
  t.ok(order.isBusy('other'));
});

t.test('who waits can be taken out; who has begun cannot', async (t) => {
  const order = new SessionOrder();
  const { begun, leave } = enterAll(order, 's', ['a', 'b', 'c']);
  t.equal(leave.get('a')?.(), false);
  t.equal(leave.get('b')?.(), true);
  t.equal(leave.get('b')?.(), false);
  order.leave('s');
  t.strictSame(begun, ['a', 'c']);
  t.equal(leave.get('c')?.(), false);
});

t.test('a session that is in use belongs to whoever began', async (t) => {
  const order = new SessionOrder();
  t.equal(order.ownerOf('s'), undefined);
  enterAll(order, 's', ['a', 'b']);
  t.equal(order.ownerOf('s'), 'owner of a');
});

t.test('at most 128 wait for a session', async (t) => {
  const order = new SessionOrder();
  const { leave } = enterAll(order, 's', ['first', ...Array.from({ length: 127 }, (_, i) => `${i}`)]);
  t.notOk(order.isFull('s'));
  enterAll(order, 's', ['last']);
  t.ok(order.isFull('s'));
  leave.get('7')?.();
  t.notOk(order.isFull('s'));
  t.notOk(order.isFull('other'));
});
