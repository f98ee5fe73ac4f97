// Interactions go to the least busy worker that can take them; what no worker can take waits in a bounded queue.
import t from 'tap';
import { Dispatcher } from '../../../supervisor/workers/dispatcher.ts';
import type { Job } from '../../../supervisor/workers/job.ts';
import { fakeGeneration, fakeSlot } from '../../helpers/fake_slot.ts';

function jobOf(id: string, assigned: string[] = []): Job {
  return { task: () => ({ id }) as ReturnType<Job['task']>, listener: {} as Job['listener'], assigned: () => void assigned.push(id) };
}

function submit(dispatcher: Dispatcher, ...ids: readonly string[]): Job[] {
  const jobs = ids.map((id) => jobOf(id));
  for (const job of jobs) dispatcher.submit(job);
  return jobs;
}

/** A job whose task is brought when the test says so. */
function promisedJob(id: string): Job & { bring(task: 'its task' | null): Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<Awaited<ReturnType<Job['task']>>>();
  return {
    ...jobOf(id),
    task: () => promise,
    bring(task) {
      resolve(task === null ? null : (jobOf(id).task() as Awaited<ReturnType<Job['task']>>));
      return new Promise((brought) => setImmediate(brought));
    },
  };
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

t.test('while what a job is sent is brought, a seat is held for it', async (t) => {
  const [one, two] = [fakeSlot(1), fakeSlot(2)];
  const dispatcher = new Dispatcher(() => fakeGeneration(one, two), 0);
  const jobs = ['a', 'b', 'c'].map(promisedJob);
  for (const job of jobs) {
    t.ok(dispatcher.hasRoom);
    dispatcher.submit(job);
  }
  t.notOk(dispatcher.hasRoom);
  t.equal(dispatcher.queued, 0, 'they do not wait for a worker');
  t.strictSame([one.asked, two.asked], [[], []]);
  for (const job of jobs.toReversed()) await job.bring('its task');
  t.strictSame([one.asked, two.asked], [['run a'], ['run c', 'run b']]);
  t.strictSame([one.load, two.load], [1, 2]);
});

t.test('a job that is withdrawn while that is brought does not run, and its seat goes to the next', async (t) => {
  const slot = fakeSlot(1);
  const dispatcher = new Dispatcher(() => fakeGeneration(slot), 10);
  const job = promisedJob('a');
  dispatcher.submit(job);
  submit(dispatcher, 'b');
  t.equal(dispatcher.withdraw(job), true);
  t.equal(dispatcher.withdraw(job), false);
  t.strictSame(slot.asked, []);
  await job.bring('its task');
  t.strictSame(slot.asked, ['run b']);
  t.equal(slot.load, 1);
});

t.test('a job that is wanted no longer when that is brought leaves its seat to the next', async (t) => {
  const slot = fakeSlot(1);
  const dispatcher = new Dispatcher(() => fakeGeneration(slot), 10);
  const job = promisedJob('a');
  dispatcher.submit(job);
  submit(dispatcher, 'b');
  await job.bring(null);
  t.strictSame(slot.asked, ['run b']);
  t.equal(dispatcher.queued, 0);
});

t.test('where its worker breaks meanwhile, it is the first to get another', async (t) => {
  const [broken, other] = [fakeSlot(2), fakeSlot(0)];
  const dispatcher = new Dispatcher(() => fakeGeneration(broken, other), 10);
  const job = promisedJob('a');
  dispatcher.submit(job);
  broken.state = 'suspect';
  submit(dispatcher, 'b');
  await job.bring('its task');
  t.strictSame([broken.asked, other.asked], [[], []]);
  t.equal(dispatcher.queued, 2);
  t.equal(broken.load, 0);
  other.seats = 1;
  dispatcher.assign();
  // It is asked for its task anew: what it was brought may be out of date.
  await job.bring('its task');
  t.strictSame([broken.asked, other.asked], [[], ['run a']]);
  t.equal(dispatcher.queued, 1);
});

t.test('one that has got back into the queue can be withdrawn like any other', async (t) => {
  const slot = fakeSlot(1);
  const dispatcher = new Dispatcher(() => fakeGeneration(slot), 10);
  const job = promisedJob('a');
  dispatcher.submit(job);
  slot.state = 'lost';
  await job.bring('its task');
  t.equal(dispatcher.queued, 1);
  t.equal(dispatcher.withdraw(job), true);
  slot.state = 'ready';
  dispatcher.assign();
  await job.bring('its task');
  t.strictSame(slot.asked, []);
  t.equal(slot.load, 0);
});
