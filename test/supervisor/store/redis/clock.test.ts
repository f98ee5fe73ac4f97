// Redis's clock as it is known here: the most exact answer counts, until it is old or cannot be right any more.
import t from 'tap';
import { Clock } from '../../../../supervisor/store/redis/clock.ts';

const DAY_MS = 86_400_000;
/** How far a clock is ahead of this process's, to a tenth of a second. */
const ahead = (clock: Clock): number => Math.round((clock.now() - performance.timeOrigin - performance.now()) / 100) / 10;

t.test('at first it is that of this machine', async (t) => {
  t.ok(Math.abs(new Clock().now() - Date.now()) < 1000);
});

t.test('it is taken to have been read in the middle of question and answer', async (t) => {
  const clock = new Clock();
  const now = performance.now();
  clock.set(performance.timeOrigin + now + DAY_MS, now - 2000, now);
  t.equal(ahead(clock), DAY_MS / 1000 + 1);
});

t.test('a more exact answer replaces another, a less exact one does not before it is old', async (t) => {
  const clock = new Clock();
  const real = performance.timeOrigin;
  clock.set(real + 500, 0, 1000);
  t.equal(ahead(clock), 0);
  clock.set(real + 1200, 990, 1010);
  t.equal(ahead(clock), 0.2);
  clock.set(real + 2000, 1000, 2600);
  t.equal(ahead(clock), 0.2, 'it agrees with the other within what it can be wrong by');
  clock.set(real + 62_000, 61_000, 62_600);
  t.equal(ahead(clock), 0.2);
  clock.set(real + 2000 + 61_010, 61_010 + 1000, 61_010 + 2600);
  t.equal(ahead(clock), 0.2, 'the time of the answer is what makes one old');
  clock.set(real + 71_900, 71_000, 72_600);
  t.equal(ahead(clock), 0.1);
});

t.test('one that contradicts it is that of another Redis, or of one whose clock was set', async (t) => {
  const clock = new Clock();
  const real = performance.timeOrigin;
  clock.set(real + 1, 0, 2);
  clock.set(real + 10_000 + 3600_000, 9500, 10_500);
  t.equal(ahead(clock), 3600);
});
