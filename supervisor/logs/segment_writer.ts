// Writes lines to the newest segment of the spool, so that a write that fails half-way damages nothing that follows.
import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { segmentName } from '../../shared/spool_format.ts';

/** What became of a batch of lines. */
export interface Written {
  /** So many of them, from the front, are written. */
  readonly lines: number;
  /** The segment that they are in, and how long it is now. */
  readonly segment: number;
  readonly size: number;
  /** The system's code of what kept the others from being written; null where all are. */
  readonly failure: string | null;
}

interface OpenSegment {
  readonly handle: FileHandle;
  readonly number: number;
  size: number;
}

export class SegmentWriter {
  readonly #directory: string;
  readonly #segmentBytes: number;
  #next: number;
  #segment: OpenSegment | null = null;

  /** @param firstNumber of the first segment, which is made when there is something to write @param segmentBytes after so many a new one is begun */
  constructor(directory: string, firstNumber: number, segmentBytes: number) {
    this.#directory = directory;
    this.#next = firstNumber;
    this.#segmentBytes = segmentBytes;
  }

  /** Bytes until a new segment is begun; a line may be longer. */
  get room(): number {
    return this.#segmentBytes - (this.#segment?.size ?? 0);
  }

  /** No segment with this number or a higher one has been begun, though the next one may be about to be. */
  get next(): number {
    return this.#next;
  }

  /** Writes as many of the lines as the disk takes. Not to be called again before it has resolved; never rejects. */
  async write(lines: readonly Buffer[]): Promise<Written> {
    let { number, size } = this.#segment ?? { number: this.#next, size: 0 };
    let failure: string | null = null;
    let written = 0;
    try {
      this.#segment ??= await this.#begin();
      ({ number, size } = this.#segment);
      const bytes = lines.length === 1 ? (lines[0] as Buffer) : Buffer.concat(lines);
      while (written < bytes.length) {
        const { bytesWritten } = await this.#segment.handle.write(bytes, written, bytes.length - written, size + written);
        written += bytesWritten;
      }
    } catch (error) {
      failure = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    }
    const { count, length } = wholeLines(lines, written);
    size += length;
    if (this.#segment !== null) {
      this.#segment.size = size;
      if (failure !== null) await this.#cutBack(this.#segment, written > length);
      else if (size >= this.#segmentBytes) await this.seal();
    }
    return { lines: count, segment: number, size, failure };
  }

  /** What is written next comes into a new segment. */
  async seal(): Promise<void> {
    const segment = this.#segment;
    this.#segment = null;
    // Its bytes are the system's already; an error now says nothing about them.
    await segment?.handle.close().catch(() => undefined);
  }

  async #begin(): Promise<OpenSegment> {
    // Whoever cleaned up may have removed the directory too.
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    for (;;) {
      const number = this.#next;
      try {
        const handle = await open(join(this.#directory, segmentName(number)), 'wx', 0o600);
        this.#next += 1;
        return { handle, number, size: 0 };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        this.#next += 1;
      }
    }
  }

  /** After a failure nothing more is written behind what is there, as only some of the disk may be at fault; but an empty segment serves again. */
  async #cutBack({ handle, size }: OpenSegment, hasPart: boolean): Promise<void> {
    const isCut = !hasPart || (await handle.truncate(size).then(() => true, () => false));
    if (size > 0 || !isCut) await this.seal();
  }
}

/** How many of the lines, and of how many bytes together, are within the first `bytes`. */
function wholeLines(lines: readonly Buffer[], bytes: number): { readonly count: number; readonly length: number } {
  let count = 0;
  let length = 0;
  for (const line of lines) {
    if (length + line.length > bytes) break;
    length += line.length;
    count += 1;
  }
  return { count, length };
}
