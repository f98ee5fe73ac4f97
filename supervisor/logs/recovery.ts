// What an earlier server left in the spool: how much of it is still to be shipped, and the interactions that it did not live to end.
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { LogRecord } from '../../shared/log_record.ts';
import { decodeLines, recordOf, segmentName, type SpoolPlace } from '../../shared/spool_format.ts';
import type { Logger } from '../log.ts';
import { readSegment } from './read_segment.ts';

export interface RecoveryOptions {
  readonly directory: string;
  /** Numbers of the segments that are left, in order. */
  readonly segments: readonly number[];
  readonly shipped: SpoolPlace;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** So many ends of earlier servers more wait to be shipped. */
  found(ends: number): void;
  /** All segments are looked through: they hold these interactions without an end, and are needed for nothing else. */
  scanned(left: ReadonlyMap<string, SpoolPlace>): void;
  /**
   * Keeps the record of an interaction that was interrupted.
   * @param isWanted false once its id is another's: that one's record takes its place, and the two must not be mixed up
   * @returns resolves when it is kept, or not wanted any more
   */
  interrupted(record: LogRecord, isWanted: () => boolean): Promise<void>;
}

export interface Recovery {
  /** Resolves when all that was left open has its end, or when it is aborted; never rejects. */
  readonly done: Promise<void>;
  /** An interaction of this server has this id. */
  taken(interactionId: string): void;
}

interface OpenLine extends SpoolPlace {
  readonly bytes: number;
}

/** Opened interactions without an end, by id. */
type Left = Map<string, OpenLine>;

export function recover(options: RecoveryOptions): Recovery {
  const left: Left = new Map();
  /** Ids of this server, while those of earlier ones are not all known; null afterwards. */
  let own: Set<string> | null = new Set();

  const run = async (): Promise<void> => {
    for (const segment of options.segments) await unlessUnreadable(options, segment, () => scan(options, segment, left));
    for (const id of own ?? []) left.delete(id);
    own = null;
    if (options.signal.aborted) return;
    options.scanned(left);
    if (left.size > 0) options.log.warn({ interactions: left.size }, 'interactions of an earlier server are logged as interrupted');
    for (const [id, line] of left) {
      await unlessUnreadable(options, line.segment, async () => {
        const record = await readOpened(options.directory, line);
        if (record !== null) await options.interrupted(record, () => left.has(id));
      });
    }
  };

  return {
    done: run(),
    taken(interactionId) {
      if (own === null) left.delete(interactionId);
      else own.add(interactionId);
    },
  };
}

/** Does nothing where it is aborted. */
async function unlessUnreadable({ log, signal }: RecoveryOptions, segment: number, read: () => Promise<void>): Promise<void> {
  if (signal.aborted) return;
  try {
    await read();
  } catch (error) {
    log.error({ code: (error as NodeJS.ErrnoException).code, segment }, 'a segment of the spool could not be read');
  }
}

/** Notes in `left` what is opened in the segment, and takes out what ends in it. */
async function scan({ directory, shipped, log, signal, found }: RecoveryOptions, segment: number, left: Left): Promise<void> {
  for await (const { lines, damaged } of readSegment(join(directory, segmentName(segment)))) {
    let ends = 0;
    for (const { type, interactionId, offset, bytes } of lines) {
      if (type === 'open') {
        left.set(interactionId, { segment, offset, bytes });
      } else {
        left.delete(interactionId);
        if (segment > shipped.segment || (segment === shipped.segment && offset >= shipped.offset)) ends += 1;
      }
    }
    found(ends);
    for (const range of damaged) log.warn({ segment, ...range }, 'a part of the spool is damaged: what it said is lost');
    if (signal.aborted) return;
  }
}

/** @returns the record that the line holds; null where it is no longer what it was */
async function readOpened(directory: string, { segment, offset, bytes }: OpenLine): Promise<LogRecord | null> {
  const handle = await open(join(directory, segmentName(segment)), 'r');
  try {
    const { buffer } = await handle.read(Buffer.allocUnsafe(bytes), 0, bytes, offset);
    const line = decodeLines(buffer).lines[0];
    return line === undefined ? null : recordOf(line);
  } finally {
    await handle.close();
  }
}
