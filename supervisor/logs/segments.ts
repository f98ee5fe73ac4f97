// The segments of the spool on the disk: how long they are, which interactions were opened in them, and when one is needed no more.
import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { segmentName, type SpoolPlace } from '../../shared/spool_format.ts';
import type { Logger } from '../log.ts';

export interface Segment {
  readonly number: number;
  /** Bytes, of whole lines. */
  size: number;
}

interface KnownSegment extends Segment {
  /** By an earlier server. */
  readonly isLeft: boolean;
  /** How many interactions were opened in it and have not ended. */
  open: number;
  /** Nothing is written to it any more. */
  sealed: boolean;
  /** It could not be deleted, which has been told. */
  stuck: boolean;
}

export class Segments {
  readonly #directory: string;
  readonly #log: Logger;
  #known: KnownSegment[];
  /** Where each living interaction was opened. */
  readonly #homes = new Map<string, KnownSegment>();
  /** What is open in the segments of earlier servers is known. */
  #isScanned = false;
  #shipped: SpoolPlace;
  #end: SpoolPlace;
  #bytes: number;
  #trimming = Promise.resolve();

  /** @param left segments of earlier servers, by number @param firstNumber of the first new one */
  constructor(directory: string, left: readonly Segment[], firstNumber: number, shipped: SpoolPlace, log: Logger) {
    this.#directory = directory;
    this.#log = log;
    this.#known = left.map(({ number, size }) => ({ number, size, isLeft: true, open: 0, sealed: true, stuck: false }));
    this.#bytes = left.reduce((sum, { size }) => sum + size, 0);
    this.#shipped = shipped;
    this.#end = { segment: firstNumber, offset: 0 };
  }

  /** On the disk. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Everything before it may be read. */
  get end(): SpoolPlace {
    return this.#end;
  }

  /** Whether the newest one holds something, all of which is shipped, and which no living interaction needs. */
  get newestIsDone(): boolean {
    const newest = this.#known.at(-1);
    return newest !== undefined && !newest.sealed && newest.size > 0 && newest.open === 0 && this.#isShipped(newest);
  }

  /** The newest segment, perhaps a new one, is so long now. */
  grew(number: number, size: number): void {
    let newest = this.#known.at(-1);
    if (newest?.number !== number) {
      this.seal();
      newest = { number, size: 0, isLeft: false, open: 0, sealed: false, stuck: false };
      this.#known.push(newest);
    }
    this.#bytes += size - newest.size;
    newest.size = size;
    this.#end = { segment: number, offset: size };
  }

  /** What is written next comes into a new segment. */
  seal(): void {
    const newest = this.#known.at(-1);
    if (newest !== undefined) newest.sealed = true;
  }

  /** An interaction was opened in this segment, by default the newest. */
  opened(interactionId: string, number = this.#end.segment): void {
    this.ended(interactionId);
    const home = this.#known.findLast((segment) => segment.number === number);
    if (home === undefined) return;
    this.#homes.set(interactionId, home);
    home.open += 1;
  }

  ended(interactionId: string): void {
    const home = this.#homes.get(interactionId);
    if (home === undefined) return;
    home.open -= 1;
    this.#homes.delete(interactionId);
  }

  /** Everything before this place is committed. */
  shipped(place: SpoolPlace): void {
    this.#shipped = place;
  }

  /** What earlier servers left open is told by `opened`: until then all of their segments are kept. */
  scanned(): void {
    this.#isScanned = true;
  }

  /** Deletes what is needed no more. @returns resolves when that is done; never rejects */
  trim(): Promise<void> {
    this.#trimming = this.#trimming.then(() => this.#deleteDone());
    return this.#trimming;
  }

  async #deleteDone(): Promise<void> {
    for (const segment of this.#known.filter((each) => this.#isDone(each))) {
      if (!(await this.#delete(segment))) continue;
      this.#known = this.#known.filter((each) => each !== segment);
      this.#bytes -= segment.size;
    }
  }

  /** @returns whether it is gone */
  async #delete(segment: KnownSegment): Promise<boolean> {
    try {
      await unlink(join(this.#directory, segmentName(segment.number)));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return true;
      if (!segment.stuck) this.#log.warn({ code, segment: segment.number }, 'a segment of the spool could not be deleted');
      segment.stuck = true;
      return false;
    }
    return true;
  }

  #isDone(segment: KnownSegment): boolean {
    return segment.sealed && segment.open === 0 && this.#isShipped(segment) && (this.#isScanned || !segment.isLeft);
  }

  #isShipped({ number, size }: Segment): boolean {
    return number < this.#shipped.segment || (number === this.#shipped.segment && size <= this.#shipped.offset);
  }
}
