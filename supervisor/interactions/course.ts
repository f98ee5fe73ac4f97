// What only a live interaction needs: where it is on its way, since when, and what ends it.
import type { EndCode } from '../../shared/errors.ts';
import { CREDIT_WINDOW } from '../../shared/protocol.ts';
import type { Job } from '../workers/dispatcher.ts';
import type { Slot } from '../workers/slot.ts';
import type { SlotListener } from '../workers/slot_listener.ts';
import type { Interaction } from './interaction.ts';

/** Taken events are told to the worker in portions, not one by one; in UTF-16 units of their JSON. */
const CREDIT_PORTION = CREDIT_WINDOW / 4;

export interface Course {
  readonly interaction: Interaction;
  /** Set once its session lets it go on. */
  job: Job | null;
  /** The worker that has it. */
  slot: Slot | null;
  /** How often it was given to a worker. */
  attempts: number;
  /** It waits for its session, with a place in the queue promised. */
  reserved: boolean;
  /** Takes it out of its session's line; false when it is past that. */
  leaveOrder: () => boolean;
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
  /** Its end has been decided: whatever the worker still says is late. */
  ending: boolean;
}

export function createCourse(interaction: Interaction, reserved: boolean): Course {
  const now = performance.now();
  return {
    interaction,
    job: null,
    slot: null,
    attempts: 0,
    reserved,
    leaveOrder: () => false,
    waitingSince: now,
    lastFrameAt: now,
    unreadSince: null,
    untaken: 0,
    owedCredit: 0,
    cancel: null,
    cancelDeadline: Number.POSITIVE_INFINITY,
    ending: false,
  };
}

/** Counts what the reader has taken. @returns how much the worker is to be told now; it is told in portions, so mostly 0 */
export function addTaken(course: Course, units: number): number {
  course.untaken -= units;
  course.owedCredit += units;
  if (course.owedCredit < CREDIT_PORTION) return 0;
  const credit = course.owedCredit;
  course.owedCredit = 0;
  return credit;
}

/** What the worker says of it is noted. @param on what is done besides; `taken`: events that nobody waits for count as taken */
export function listenerOf(course: Course, on: Pick<SlotListener, 'ended' | 'lost'> & { taken(units: number): void }): SlotListener {
  const { interaction } = course;
  return {
    started: (model) => {
      course.lastFrameAt = performance.now();
      if (!course.ending) interaction.begin(model);
    },
    events: (events) => {
      course.lastFrameAt = performance.now();
      if (course.ending) return;
      const units = interaction.add(events);
      course.untaken += units;
      if (interaction.pacer === null) on.taken(units);
    },
    active: () => {
      course.lastFrameAt = performance.now();
    },
    ended: on.ended,
    lost: on.lost,
  };
}
