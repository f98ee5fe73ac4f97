// Which deadline an interaction has passed: in all, unread, waiting for a worker, silent, asked to end.
import t from 'tap';
import type { Config } from '../../../shared/config.ts';
import { createCourse, type Course } from '../../../supervisor/interactions/course.ts';
import { passedDeadline, type Verdict } from '../../../supervisor/interactions/deadlines.ts';
import { Interaction, type InteractionRequest } from '../../../supervisor/interactions/interaction.ts';
import type { Place } from '../../../supervisor/store/order.ts';
import type { Job } from '../../../supervisor/workers/job.ts';
import type { Slot } from '../../../supervisor/workers/slot.ts';
import { requestOf } from '../../helpers/requests.ts';

const CONFIG = { chatTimeoutMs: 60_000, chatIdleTimeoutMs: 1000, queueTimeoutMs: 2000 } as Config;
const JOB = {} as Job;
const SLOT = {} as Slot;
const PLACE = {} as Place;
/** A whole number, so that what is added to it stays exact. */
const BEGAN = 1_000_000;

function courseOf(fields: Partial<Course> = {}, request: Partial<InteractionRequest> = {}): Course {
  return Object.assign(createCourse(new Interaction(requestOf(request), 'a'), { place: PLACE, uncount: () => undefined, own: null }), { waitingSince: BEGAN, lastFrameAt: BEGAN }, fields);
}

/** The verdict so many ms after the course began. */
const after = (course: Course, ms: number, config = CONFIG, hasWorkers = true, tokenEnd: string | null = null): Verdict | undefined =>
  passedDeadline(course, course.waitingSince + ms, config, hasWorkers, () => tokenEnd);

t.test('an interaction that waits for its session has time, one that waits for a worker has the queue\'s', async (t) => {
  t.equal(after(courseOf(), 50_000), undefined);
  t.equal(after(courseOf({ job: JOB }), 2000), undefined);
  t.strictSame(after(courseOf({ job: JOB }), 2001), { type: 'cancel', code: 'QUEUE_TIMEOUT' });
  t.strictSame(after(courseOf({ job: JOB }), 2001, CONFIG, false), { type: 'cancel', code: 'NO_WORKERS' });
});

t.test('one whose own worker starts has as long as a start may take, which is looked after elsewhere', async (t) => {
  const own = { isWaiting: false } as NonNullable<Course['own']>;
  t.equal(after(courseOf({ job: JOB, own }), 50_000), undefined);
  t.match(after(courseOf({ job: JOB, own }), 0, { ...CONFIG, chatTimeoutMs: -1 }), { code: 'TIMEOUT' });
});

t.test('one that waits for room for its own worker has the queue\'s time, as any other that waits for one', async (t) => {
  const own = { isWaiting: true } as NonNullable<Course['own']>;
  t.equal(after(courseOf({ job: JOB, own }), 2000), undefined);
  t.strictSame(after(courseOf({ job: JOB, own }), 2001), { type: 'cancel', code: 'QUEUE_TIMEOUT' });
});

t.test('one whose token has ended is cancelled with the reason, and may take no more than a moment', async (t) => {
  const verdict = { type: 'cancel', code: 'CANCELLED', message: 'The token was revoked.', graceMs: 300 };
  t.strictSame(after(courseOf(), 0, CONFIG, true, 'The token was revoked.'), verdict);
  t.strictSame(after(courseOf({ job: JOB, slot: SLOT }), 0, CONFIG, true, 'The token was revoked.'), verdict);
});

t.test('a worker that is silent for too long is out of time, unless it waits for the reader', async (t) => {
  const course = courseOf({ job: JOB, slot: SLOT });
  t.equal(after(course, 1000), undefined);
  t.match(after(course, 1001), { type: 'cancel', code: 'TIMEOUT', message: /silent for more than 1 s/ });
  course.interaction.addReader({ behind: true, last: 0, wake: () => undefined }, true);
  t.equal(after(course, 5000), undefined);
  t.equal(course.lastFrameAt, course.waitingSince + 5000, 'its silence counts from when the reader has caught up');
});

t.test('no interaction takes longer than it may in all, whatever it is doing', async (t) => {
  const config = { ...CONFIG, chatTimeoutMs: -1 };
  for (const fields of [{}, { job: JOB }, { job: JOB, slot: SLOT }]) {
    t.match(after(courseOf(fields), 0, config), { type: 'cancel', code: 'TIMEOUT', message: /took longer/ });
  }
});

t.test('one that nobody reads any more ends when its grace is over, unless it is to go on', async (t) => {
  const left = courseOf({}, { disconnectGraceMs: 500 });
  left.unreadSince = left.waitingSince;
  t.equal(after(left, 499), undefined);
  t.match(after(left, 500), { type: 'cancel', code: 'CANCELLED', message: /went away/ });
  const goesOn = courseOf({}, { onDisconnect: 'continue' });
  goesOn.unreadSince = goesOn.waitingSince;
  t.equal(after(goesOn, 50_000), undefined);
});

t.test('one that was asked to end is ended when its time for that is over, and not asked again', async (t) => {
  const course = courseOf({ job: JOB, slot: SLOT, cancel: { code: 'CANCELLED', message: 'm' } });
  course.cancelDeadline = course.waitingSince + 5000;
  t.equal(after(course, 4999), undefined);
  t.strictSame(after(course, 5000), { type: 'enforce' });
});

t.test('one whose end is decided has no deadline', async (t) => {
  t.equal(after(courseOf({ ending: true, job: JOB }), 100_000, { ...CONFIG, chatTimeoutMs: -1 }), undefined);
});
