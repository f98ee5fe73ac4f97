// Interactions go to the least busy worker that can take them; what no worker can take waits in a bounded queue.
import t from 'tap';
import { Dispatcher, type Job } from '../../../supervisor/workers/dispatcher.ts';
import { fakeGeneration, fakeSlot } from '../../helpers/fake_slot.ts';

function jobOf(id: string, assigned: string[] = []): Job {
  return { task: () => ({ id }) as ReturnType<Job['task']>, listener: {} as Job['listener'], assigned: () => void assigned.push(id) };
}

function submit(dispatcher: Dispatcher, ...ids: readonly string[]): Job[] {
  const jobs = ids.map((id) => jobOf(id));
  for (const job of jobs) dispatcher.submit(job);
  return jobs;
}

t.test('each goes to the worker with the fewest, which its owner is told first', async (t) => {
  const slots = [fakeSlot(8), fakeSlot(8), fakeSlot(8)];
  const dispatcher = new Dispatcher(() => fakeGeneration(...slots), 10);
  const assigned: string[] = [];
  for (const id of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) dispatcher.submit(jobOf(id, assigned));
  t.strictSame(slots.map(({ active }) => active), [3, 2, 2]);
  t.strictSame(assigned, ['a', 'b', 'c', 'd', 'e', 'f', 'g']);
  t.equal(dispatcher.queued, 0);
});

t.test('workers that are full, or not ready, get nothing', async (t) => {
  const [full, tainted, free] = [fakeSlot(0), fakeSlot(8, 'tainted'), fakeSlot(8)];
  const dispatcher = new Dispatcher(() => fakeGeneration(full, tainted, free), 10);
  submit(dispatcher, 'a', 'b');
  t.strictSame([full, tainted, free].map(({ asked }) => asked), [[], [], ['run a', 'run b']]);
});

t.test('what waits is run in order, as seats become free', async (t) => {
  const slot = fakeSlot(1);
  const dispatcher = new Dispatcher(() => fakeGeneration(slot), 10);
  submit(dispatcher, 'a', 'b', 'c');
  t.equal(dispatcher.queued, 2);
  slot.seats = 2;
  dispatcher.assign();
  dispatcher.assign();
  t.strictSame(slot.asked, ['run a', 'run b']);
  slot.seats = 3;
  dispatcher.assign();
  t.strictSame(slot.asked, ['run a', 'run b', 'run c']);
  t.equal(dispatcher.queued, 0);
});

t.test('a job that waits can be withdrawn; one that runs cannot', async (t) => {
  const slot = fakeSlot(1);
  const dispatcher = new Dispatcher(() => fakeGeneration(slot), 10);
  const [running, waiting] = submit(dispatcher, 'a', 'b') as [Job, Job];
  t.equal(dispatcher.withdraw(running), false);
  t.equal(dispatcher.withdraw(waiting), true);
  slot.seats = 2;
  dispatcher.assign();
  t.strictSame(slot.asked, ['run a']);
});

t.test('there is room while a worker has a seat or the queue a place; a promised place is taken', async (t) => {
  const slot = fakeSlot(1);
  const dispatcher = new Dispatcher(() => fakeGeneration(slot), 2);
  submit(dispatcher, 'a', 'b');
  t.ok(dispatcher.hasRoom);
  t.ok(dispatcher.reserve());
  t.notOk(dispatcher.hasRoom);
  t.notOk(dispatcher.reserve());
  t.equal(dispatcher.queued, 2);
  dispatcher.release();
  t.ok(dispatcher.hasRoom);
});

t.test('without a queue there is room only where a worker has a seat', async (t) => {
  const slot = fakeSlot(1);
  const dispatcher = new Dispatcher(() => fakeGeneration(slot), 0);
  t.ok(dispatcher.hasRoom);
  submit(dispatcher, 'a');
  t.notOk(dispatcher.hasRoom);
});

t.test('the generation that serves now is asked each time', async (t) => {
  const [old, fresh] = [fakeSlot(8), fakeSlot(8)];
  let serving = fakeGeneration(old);
  const dispatcher = new Dispatcher(() => serving, 10);
  submit(dispatcher, 'a');
  serving = fakeGeneration(fresh);
  submit(dispatcher, 'b');
  t.strictSame([old.asked, fresh.asked], [['run a'], ['run b']]);
  t.ok(dispatcher.hasWorkers);
  fresh.state = 'lost';
  t.notOk(dispatcher.hasWorkers);
});
