// How long a replaced worker's interactions may go on: without end, or until the limit that comes first, counted from when it was replaced.
import t from 'tap';
import { createPatience } from '../../../supervisor/workers/patience.ts';
import { waitFor } from '../../helpers/wait_for.ts';

function create() {
  const began = performance.now();
  const over: number[] = [];
  return { patience: createPatience(() => void over.push(performance.now() - began)), over };
}

t.test('without a limit it never ends, and before its beginning no limit counts', async (t) => {
  const endless = create();
  endless.patience.begin();
  const waiting = create();
  waiting.patience.limit(1);
  const limited = create();
  limited.patience.limit(50);
  limited.patience.begin();
  await waitFor('the end', () => limited.over.length > 0);
  t.strictSame([endless.over, waiting.over], [[], []]);
  t.ok((limited.over[0] ?? 0) >= 49);
});

t.test('of several limits the first counts, also one that is set when it has begun; each ends it once', async (t) => {
  const { patience, over } = create();
  patience.limit(60_000);
  patience.begin();
  patience.limit(30);
  patience.limit(60_000);
  await waitFor('the end', () => over.length > 0);
  patience.begin();
  patience.limit(30);
  const later = create();
  later.patience.begin();
  later.patience.limit(100);
  await waitFor('a later one', () => later.over.length > 0);
  t.equal(over.length, 1);
});

t.test('what has ended is not over later', async (t) => {
  const { patience, over } = create();
  patience.limit(10);
  patience.begin();
  patience.end();
  const later = create();
  later.patience.begin();
  later.patience.limit(50);
  await waitFor('a later one', () => later.over.length > 0);
  t.strictSame(over, []);
});

t.test('code that ends after all was no reason, unless there is another', async (t) => {
  const { patience, over } = create();
  patience.limitFor('a', 60);
  patience.limitFor('b', 60);
  patience.begin();
  patience.settle('a');
  t.ok(patience.isLimited);
  patience.settle('b');
  t.notOk(patience.isLimited);
  patience.settle('b');
  const other = create();
  other.patience.begin();
  other.patience.limitFor('a', 60);
  other.patience.limitFor('b', 60);
  other.patience.settle('b');
  await waitFor('the end of the other', () => other.over.length > 0);
  t.strictSame(over, []);
  patience.limit(1);
  await waitFor('a later limit', () => over.length > 0);
});
