// The watch over heartbeats: a second of standstill makes a worker suspect, a longer one ends it; none is blamed for the supervisor's lateness.
import t, { type Test } from 'tap';
import { watchHeartbeats } from '../../../supervisor/workers/heartbeat.ts';
import { fakeSlot, type FakeSlot } from '../../helpers/fake_slot.ts';
import { waitFor } from '../../helpers/wait_for.ts';
import type { Slot } from '../../../supervisor/workers/slot.ts';

const STUCK_MS = 2000;

function watch(t: Test, ...slots: readonly (FakeSlot & Slot)[]): void {
  t.teardown(watchHeartbeats(() => slots, () => STUCK_MS));
}

/** Keeps it beating until the test ends. */
function beat(t: Test, slot: FakeSlot): void {
  const timer = setInterval(() => (slot.heartbeat += 1), 50);
  t.teardown(() => clearInterval(timer));
}

/** Without repetitions. */
const course = ({ asked }: FakeSlot): string[] => asked.filter((each, index) => each !== asked[index - 1]);

t.test('a worker that stands still is suspected after a second and lost after its time, the others are left alone', async (t) => {
  const [still, beating, booting] = [fakeSlot(), fakeSlot(), fakeSlot(1, 'booting')];
  beat(t, beating);
  watch(t, still, beating, booting);
  const began = performance.now();
  await waitFor('the suspicion', () => still.asked.includes('suspect'));
  t.ok(performance.now() - began > 1000);
  await waitFor('the loss', () => still.asked.some((each) => each.startsWith('lose WORKER_STUCK: no heartbeat for 2 s')));
  t.ok(performance.now() - began > STUCK_MS);
  t.strictSame(course(beating), ['recover']);
  t.strictSame(booting.asked, []);
});

t.test('a worker that beats again is trusted again', async (t) => {
  const slot = fakeSlot();
  watch(t, slot);
  await waitFor('the suspicion', () => slot.asked.includes('suspect'));
  slot.heartbeat += 1;
  await waitFor('the recovery', () => slot.asked.at(-1) === 'recover');
  t.strictSame(course(slot), ['recover', 'suspect', 'recover']);
});

t.test('when the watch itself was held up, every worker gets its whole time anew', async (t) => {
  const slot = fakeSlot();
  watch(t, slot);
  await waitFor('the first look', () => slot.asked.length > 0);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STUCK_MS + 1000);
  const resumedAt = performance.now();
  const before = slot.asked.length;
  await waitFor('the next look', () => slot.asked.length > before);
  t.strictSame(course(slot), ['recover']);
  await waitFor('the suspicion', () => slot.asked.includes('suspect'));
  t.ok(performance.now() - resumedAt > 900);
});
