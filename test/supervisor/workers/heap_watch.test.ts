// The watch over heaps: which worker is replaced, how often, and when its owner is told that the cap is too small.
import { pino } from 'pino';
import t, { type Test } from 'tap';
import type { Generation } from '../../../supervisor/workers/generation.ts';
import { watchHeaps } from '../../../supervisor/workers/heap_watch.ts';
import { waitFor } from '../../helpers/wait_for.ts';

interface HeapSlot {
  readonly id: number;
  state: string;
  bornAt: number;
  heapAtBoot: { mb: number; capMb: number } | null;
  lastingHeap: { mb: number; capMb: number } | null;
}

const CAP_MB = 100;
const heap = (mb: number) => ({ mb, capMb: CAP_MB });
const slotOf = (id: number, atBoot: number, now: number, bornAt = 0): HeapSlot => ({ id, state: 'ready', bornAt, heapAtBoot: heap(atBoot), lastingHeap: heap(now) });

/** Watches these; one that is replaced is noted, with the time, and `replaced` may put another in its place. */
function watch(t: Test, slots: HeapSlot[], replaced: (slot: HeapSlot) => void = () => undefined) {
  const recycled: { readonly id: number; readonly at: number }[] = [];
  const logged: string[] = [];
  const all = [...slots];
  const generation = {
    serving: slots,
    all: () => all,
    recycle(slot: HeapSlot) {
      if (slot.state !== 'ready') return false;
      recycled.push({ id: slot.id, at: performance.now() });
      replaced(slot);
      return true;
    },
  };
  const log = pino({}, { write: (line: string) => void logged.push((JSON.parse(line) as { msg: string }).msg) });
  t.teardown(watchHeaps(() => generation as unknown as Generation, log));
  return { recycled, logged, all };
}

/** Long enough for several looks: a slot that is full beside those that shall stay tells it. */
const looked = (recycled: readonly { readonly id: number }[], id: number) => waitFor('the next looks', () => recycled.filter((each) => each.id === id).length >= 1);

t.test('one that takes 75 % of its cap is replaced, and told of; others are not', async (t) => {
  const booting: HeapSlot = { ...slotOf(3, 0, 99), heapAtBoot: null, lastingHeap: null, state: 'booting' };
  const full = slotOf(4, 10, 76);
  const { recycled, logged } = watch(t, [slotOf(1, 10, 74), { ...slotOf(2, 10, 99), state: 'suspect' }, booting, full], (slot) => (slot.state = 'draining'));
  await looked(recycled, 4);
  t.strictSame(recycled.map(({ id }) => id), [4]);
  t.strictSame(logged, ["worker 4 is replaced: collected, it still takes 76 of the 100 MB that a worker's heap may have. Should the agent need that, give it more with --worker-heap-mb"]);
});

t.test('one that was nearly as full when it was started is not: the next would be, too; of one that was full the owner is told once', async (t) => {
  const full = slotOf(4, 10, 76);
  const { recycled, logged } = watch(t, [slotOf(1, 80, 99), slotOf(2, 76, 95), slotOf(3, 60, 84), full], (slot) => (slot.state = 'draining'));
  await looked(recycled, 4);
  t.strictSame(recycled.map(({ id }) => id), [4]);
  t.strictSame(logged.filter((line) => line.startsWith('the agent alone')), ["the agent alone takes 80 of the 100 MB that a worker's heap may have: give it more with --worker-heap-mb"]);
});

t.test('those that are full again and again soon after their start are replaced more and more rarely, unless the end is near', async (t) => {
  const slots = [slotOf(1, 10, 80, performance.now())];
  const { recycled } = watch(t, slots, ({ id }) => (slots[0] = slotOf(id + 1, 10, 80, performance.now())));
  await waitFor('the fourth', () => recycled.length === 4);
  const [first, second, third, fourth] = recycled.map(({ at }) => at) as [number, number, number, number];
  t.ok(second - first < 900, `${second - first} ms`);
  t.ok(third - second >= 1000, `${third - second} ms`);
  t.ok(fourth - third >= 2000, `${fourth - third} ms`);
  Object.assign(slots[0] ?? {}, { lastingHeap: heap(91) });
  await waitFor('the fifth', () => recycled.length === 5);
  t.ok(performance.now() - fourth < 3500, 'before its time');
});

t.test('no more are replaced than may run beside those that serve', async (t) => {
  const slots = [slotOf(1, 10, 80), slotOf(2, 10, 80)];
  const harness = watch(t, slots, (slot) => {
    slot.state = 'draining';
    harness.all.push(slotOf(10 + slot.id, 10, 10), slotOf(20 + slot.id, 10, 10));
  });
  await looked(harness.recycled, 1);
  t.strictSame(harness.recycled.map(({ id }) => id), [1]);
  harness.all.splice(2);
  await looked(harness.recycled, 2);
});
