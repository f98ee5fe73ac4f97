// The seats of a worker, and whose an interaction is.
import t from 'tap';
import { CLAIM_STARTED, FIRST_CLAIM_CELL } from '../../../shared/protocol.ts';
import { Seats } from '../../../supervisor/workers/seats.ts';

t.test('there are as many as it has, and one that is given back is free again', async (t) => {
  const seats = new Seats(new Int32Array(FIRST_CLAIM_CELL + 2), 2);
  t.strictSame([seats.take(), seats.take(), seats.anyFree], [0, 1, false]);
  t.throws(() => seats.take(), { message: 'no free seat' });
  seats.giveBack(1);
  t.strictSame([seats.anyFree, seats.take()], [true, 1]);
});

t.test('an interaction that has begun cannot be withdrawn, one that is withdrawn has not begun, and the next on its seat is free to', async (t) => {
  const shared = new Int32Array(FIRST_CLAIM_CELL + 1);
  const seats = new Seats(shared, 1);
  const seat = seats.take();
  t.notOk(seats.hasBegun(seat));
  t.ok(seats.withdraw(seat));
  t.notOk(seats.withdraw(seat));
  seats.giveBack(seat);
  seats.take();
  Atomics.store(shared, FIRST_CLAIM_CELL + seat, CLAIM_STARTED);
  t.strictSame([seats.hasBegun(seat), seats.withdraw(seat)], [true, false]);
});
