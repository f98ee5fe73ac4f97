// The events that are kept of one interaction: numbered, found by number, and bounded.
import { setImmediate as tick } from 'node:timers/promises';
import t from 'tap';
import { collectGarbage } from '../../../shared/collect_garbage.ts';
import { EventRing } from '../../../supervisor/interactions/ring.ts';

const ALL = Number.POSITIVE_INFINITY;
const KIB = 'x'.repeat(1024);

/** Ids and events after `id`, as a reader follows them. */
function follow(ring: EventRing, id: number): string[] {
  const read: string[] = [];
  for (let last = id; ; ) {
    const batch = ring.after(last);
    if (batch === undefined || batch === 'lost') return batch === 'lost' ? [...read, 'lost'] : read;
    for (const event of batch.events.slice(last + 1 - batch.firstId)) read.push(`${(last += 1)}:${event.slice(0, 8)}`);
  }
}

t.test('events are numbered from 1 on, whatever batches they came in, and each is found by the one before it', async (t) => {
  const ring = new EventRing();
  t.equal(ring.lastId, 0);
  t.equal(ring.after(0), undefined);
  t.equal(ring.append(['a', 'bb'], ALL), 3);
  ring.append(['c'], ALL);
  ring.append(['d', 'e', 'f'], ALL);
  t.equal(ring.lastId, 6);
  t.equal(ring.firstId, 1);
  t.equal(ring.length, 7);
  t.strictSame(follow(ring, 0), ['1:a', '2:bb', '3:c', '4:d', '5:e', '6:f']);
  t.strictSame(follow(ring, 4), ['5:e', '6:f']);
  t.strictSame(follow(ring, 6), []);
  t.strictSame(follow(ring, 9), []);
});

t.test('beyond 512 KiB the oldest batches are given up, and whoever wants them is told that they are lost', async (t) => {
  const ring = new EventRing();
  for (let i = 1; i <= 1000; i += 1) ring.append([`${i} ${KIB}`], ALL);
  t.ok(ring.length <= 512 * 1024);
  t.ok(ring.firstId > 480 && ring.firstId < 500);
  t.equal(ring.after(ring.firstId - 2), 'lost');
  t.equal(follow(ring, ring.firstId - 1).length, 1000 - ring.firstId + 1);
  t.match(follow(ring, ring.firstId - 1).at(-1), /^1000:1000 x/);
});

t.test('the newest batch is kept however large it is', async (t) => {
  const ring = new EventRing();
  ring.append(['small'], ALL);
  ring.append([KIB.repeat(600)], ALL);
  t.equal(ring.firstId, 2);
  t.equal(follow(ring, 1).length, 1);
});

t.test('what the reader that sets the pace has not taken is kept, whatever it takes', async (t) => {
  const ring = new EventRing();
  for (let i = 1; i <= 1000; i += 1) ring.append([KIB], 10);
  t.equal(ring.firstId, 11);
  ring.append([KIB], 1000);
  t.ok(ring.firstId > 480);
});

t.test('events that are given up are let go: many large ones take no more than the bound', async (t) => {
  const ring = new EventRing();
  const kept: WeakRef<readonly string[]>[] = [];
  for (let i = 1; i <= 60; i += 1) {
    const events = [`${i}${KIB.repeat(128)}`];
    kept.push(new WeakRef(events));
    ring.append(events, ALL);
  }
  // What a WeakRef has shown in this turn of the event loop is held until its end.
  await tick();
  collectGarbage();
  const alive = kept.filter((each) => each.deref() !== undefined).length;
  t.ok(alive <= 5, `${alive} of 60 batches are held`);
  t.equal(ring.lastId, 60);
});
