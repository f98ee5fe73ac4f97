// How much the spool takes, and how long it waits.
import type { Logger } from '../log.ts';

export interface SpoolOptions {
  /** Made where it is missing; of the one server that has its data directory. */
  readonly directory: string;
  /** What all segments together may have. */
  readonly maxBytes: number;
  readonly log: Logger;
}

/** What a test may want smaller. */
export interface SpoolLimits {
  /** A segment that is so long is followed by a new one. */
  readonly segmentBytes: number;
  /** What may wait in memory for the disk, one line at least. */
  readonly waitingBytes: number;
  /** A segment that has been read to its end is given up after so long without a new line, so that texts do not outlive their rows in it. */
  readonly idleMs: number;
  /** How soon an interrupted interaction's record is tried again that could not be kept. */
  readonly retryMs: number;
  /** A line that the disk has not taken for so long is late: nobody waits for it any more, but it still does for the disk. */
  readonly lateMs: number;
}

const MIB = 1024 * 1024;
export const LIMITS: SpoolLimits = { segmentBytes: 16 * MIB, waitingBytes: 128 * MIB, idleMs: 60_000, retryMs: 1000, lateMs: 3000 };

/** Of a small spool no segment is longer: only those that nothing is written to any more make room. */
export const SEGMENT_SHARE = 1 / 8;
/** From here on interactions are no longer opened in the spool, so that the ends of those that are have a place with their texts; without them they have one anyway. */
export const NO_MORE_OPENED = 0.95;
/** From here on it is said that something is wrong, and until it is below, that it still is. */
export const NEARLY_FULL = 0.9;
/** A disk that has kept a line waiting for longer is asked for nothing that the whole process would wait for. */
export const NOW_MS = 200;
