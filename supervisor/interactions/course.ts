// What only a live interaction needs: where it is on its way, since when, and what ends it.
import type { EndCode } from '../../shared/errors.ts';
import { CREDIT_WINDOW } from '../../shared/protocol.ts';
import type { Place } from '../store/order.ts';
import type { Job } from '../workers/job.ts';
import type { OwnWorker } from '../workers/own_worker.ts';
import type { Slot } from '../workers/slot.ts';
import type { SlotListener } from '../workers/slot_listener.ts';
import type { Interaction, Outcome } from './interaction.ts';

/** Taken events are told to the worker in portions, not one by one; in UTF-16 units of their JSON. */
const CREDIT_PORTION = CREDIT_WINDOW / 4;

export interface Course {
  readonly interaction: Interaction;
  /** Set once its session lets it go on. */
  job: Job | null;
  /** It is to have a worker of its own: that one. */
  readonly own: OwnWorker | null;
  /** The worker that has it. */
  slot: Slot | null;
  /** How often it was given to a worker. */
  attempts: number;
  /** It waits for its session, with a place in the queue promised. */
  reserved: boolean;
  /** In the line of its session. */
  readonly place: Place;
  /** Ends it for the limit of what its caller may have at once. */
  readonly uncount: () => void;
  /** When it began to wait for a worker; like all times here, on the clock of `performance.now()`. */
  waitingSince: number;
  lastFrameAt: number;
  /** Since when nobody reads it. */
  unreadSince: number | null;
  /** Units that came from the worker and have not been taken. */
  untaken: number;
  /** Units taken by the reader that the worker has not been told of. */
  owedCredit: number;
  cancel: { readonly code: EndCode; readonly message: string } | null;
  cancelDeadline: number;
  /** Whatever the worker still says is late: its end is being brought about. */
  ending: boolean;
  /** How it ends, which cannot change any more; null while that is not known. */
  outcome: Outcome | null;
  /** What its worker has said while the log had not yet kept that it began, so that whoever sees it begin finds it there. null: nothing is held back. */
  held: (() => void)[] | null;
}

export function createCourse(interaction: Interaction, { place, uncount, own }: Pick<Course, 'place' | 'uncount' | 'own'>): Course {
  const now = performance.now();
  return {
    interaction,
    job: null,
    own,
    slot: null,
    attempts: 0,
    place,
    uncount,
    reserved: place.mustWait && own === null,
    waitingSince: now,
    lastFrameAt: now,
    unreadSince: null,
    untaken: 0,
    owedCredit: 0,
    cancel: null,
    cancelDeadline: Number.POSITIVE_INFINITY,
    ending: false,
    outcome: null,
    held: null,
  };
}

/** Counts what the reader has taken, and tells the worker, in portions. @param units UTF-16 units of the events' JSON */
export function tellTaken(course: Course, units: number): void {
  course.untaken -= units;
  course.owedCredit += units;
  if (course.owedCredit < CREDIT_PORTION) return;
  const credit = course.owedCredit;
  course.owedCredit = 0;
  course.slot?.credit(course.interaction.id, credit);
}

/** What the worker says of it is noted. @param on what is done besides */
export function listenerOf(course: Course, on: Pick<SlotListener, 'ended' | 'lost'>): SlotListener {
  const { interaction } = course;
  const heard = (note: () => void): void => {
    course.lastFrameAt = performance.now();
    if (course.held === null) note();
    else course.held.push(note);
  };
  return {
    started: (model) => heard(() => {
      if (!course.ending) interaction.begin(model);
    }),
    events: (events) => heard(() => {
      if (course.ending) return;
      const units = interaction.add(events);
      course.untaken += units;
      // Nobody waits for them.
      if (interaction.pacer === null) tellTaken(course, units);
    }),
    active: () => {
      course.lastFrameAt = performance.now();
    },
    ended: (end) => heard(() => on.ended(end)),
    lost: (code, started) => heard(() => on.lost(code, started)),
  };
}

/** What was held back is noted now, and nothing is held back from now on. */
export function letThrough(course: Course): void {
  const held = course.held ?? [];
  course.held = null;
  for (const note of held) note();
}
