// What the heap holds for good: the figures of the latest full collection, whatever has been made since.
import t from 'tap';
import { collectGarbage } from '../../../shared/collect_garbage.ts';
import { watchHeap } from '../../../worker/chat/heap.ts';
import { waitFor } from '../../helpers/wait_for.ts';

const PARTS = 200_000;

/** About 20 MB of small objects. */
const made = (): object[] => Array.from({ length: PARTS }, (_, i) => ({ i, more: [i, i, i] }));

t.test('what is kept counts, what a collection frees does not; it is told after each', async (t) => {
  let collections = 0;
  const heap = watchHeap(() => void (collections += 1));
  t.teardown(() => heap.close());
  const collect = async (): Promise<number> => {
    const before = collections;
    collectGarbage();
    await waitFor('the news of it', () => collections > before);
    return heap.lasting().mb;
  };
  t.ok(heap.lasting().mb > 0, 'before any collection: as it is now');
  const empty = await collect();
  let kept: object[] | null = made();
  const full = await collect();
  t.ok(full - empty > 10, `${full} MB with, ${empty} without`);
  t.equal(kept.length, PARTS);
  kept = null;
  t.ok(heap.lasting().mb === full, 'until the next one');
  const freed = await collect();
  t.ok(full - freed > 10, `${freed} MB after`);
  t.ok(heap.lasting().capMb > full);
});
