// Replaces workers whose heap fills up, before V8 ends them with all that they run.
import type { HeapFigures } from '../../shared/protocol.ts';
import type { Logger } from '../log.ts';
import type { Generation } from './generation.ts';
import type { Slot } from './slot.ts';

const CHECK_EVERY_MS = 250;
/** Of its cap: with more a worker is replaced. */
const FULL_SHARE = 0.75;
/** A replacement has to gain so much of the cap. One that is as full as the old one soon after its start would be replaced for ever. */
const GAIN_SHARE = 0.25;
/** With so much it is replaced however often that was done: the end is near. */
const URGENT_SHARE = 0.9;
/** One that was full sooner than this may simply have an agent that needs so much: after some for each place the next ones wait, longer and longer. */
const SOUND_AFTER_MS = 60_000;
const QUICK_PER_PLACE = 2;
const FIRST_BACKOFF_MS = 1000;
const LAST_BACKOFF_MS = 600_000;

interface Course {
  warned: boolean;
  /** How many in succession were full soon. */
  quick: number;
  /** On the clock of `performance.now()`. */
  notBefore: number;
}

/**
 * Starts the watch over the generation that serves, which may change between checks.
 * @returns what ends it
 */
export function watchHeaps(generation: () => Generation, log: Logger): () => void {
  const courses = new WeakMap<Generation, Course>();
  const courseOf = (of: Generation): Course => {
    const course = courses.get(of) ?? { warned: false, quick: 0, notBefore: 0 };
    courses.set(of, course);
    return course;
  };
  const timer = setInterval(() => {
    const serving = generation();
    const course = courseOf(serving);
    for (const slot of serving.serving) {
      if (slot.state !== 'ready' || slot.lastingHeap === null || slot.heapAtBoot === null) continue;
      if (!course.warned && shareOf(slot.heapAtBoot) >= FULL_SHARE) {
        course.warned = true;
        log.warn({ worker: slot.id }, `the agent alone takes ${inWords(slot.heapAtBoot)}: ${REMEDY}`);
      }
      if (isFull(slot, course) && hasRoom(serving)) recycle(serving, slot, course);
    }
  }, CHECK_EVERY_MS);

  const recycle = (of: Generation, slot: Slot, course: Course): void => {
    if (!of.recycle(slot)) return;
    log.warn({ worker: slot.id }, `worker ${slot.id} is replaced: collected, it still takes ${inWords(slot.lastingHeap as HeapFigures)}. Should the agent need that, ${REMEDY}`);
    const now = performance.now();
    course.quick = now - slot.bornAt < SOUND_AFTER_MS ? course.quick + 1 : 0;
    const excess = course.quick - QUICK_PER_PLACE * of.serving.length;
    course.notBefore = excess < 0 ? now : now + Math.min(LAST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** excess);
  };
  return () => clearInterval(timer);
}

const REMEDY = 'give it more with --worker-heap-mb';

function isFull({ lastingHeap, heapAtBoot }: Slot, { notBefore }: Course): boolean {
  const share = shareOf(lastingHeap);
  if (share < Math.max(FULL_SHARE, shareOf(heapAtBoot) + GAIN_SHARE)) return false;
  return performance.now() >= notBefore || share >= URGENT_SHARE;
}

/** Whether one more may run beside those that serve: at most as many as these, for each has the memory of one. */
function hasRoom(generation: Generation): boolean {
  return [...generation.all()].length < 2 * generation.serving.length;
}

function shareOf(heap: HeapFigures | null): number {
  return heap === null ? 0 : heap.mb / heap.capMb;
}

function inWords({ mb, capMb }: HeapFigures): string {
  return `${mb} of the ${capMb} MB that a worker's heap may have`;
}
