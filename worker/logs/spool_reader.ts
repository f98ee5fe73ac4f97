// Reads the spool from the place up to which everything is shipped, in portions, and no further than it is known to be written.
import { open, readdir, readFile, rename, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { LogRecord } from '../../shared/log_record.ts';
import {
  decodeLines,
  MAX_LINE_BYTES,
  parsePlace,
  recordOf,
  segmentName,
  segmentNumber,
  SHIPPED_FILE,
  type DamagedRange,
  type SpoolPlace,
} from '../../shared/spool_format.ts';

/** Some hundred records; more only where one is longer. */
const PORTION_BYTES = 512 * 1024;

export interface Portion {
  /** Those of interactions that ended. */
  readonly records: readonly LogRecord[];
  /** In the segment that was read. */
  readonly damaged: readonly (DamagedRange & { readonly segment: number })[];
  /** After it. */
  readonly end: SpoolPlace;
}

export class SpoolReader {
  readonly #directory: string;
  #place: SpoolPlace;
  #written: SpoolPlace | null = null;
  #handle: { readonly segment: number; readonly file: FileHandle } | null = null;

  private constructor(directory: string, place: SpoolPlace) {
    this.#directory = directory;
    this.#place = place;
  }

  /** Begins where `shipped.json` says; without it, at the beginning of all there is. */
  static async open(directory: string): Promise<SpoolReader> {
    const text = await readFile(join(directory, SHIPPED_FILE), 'utf8').catch(() => '');
    return new SpoolReader(directory, parsePlace(text) ?? { segment: 0, offset: 0 });
  }

  /** Everything before it is committed. */
  get place(): SpoolPlace {
    return this.#place;
  }

  /** Everything before this place may be read. */
  appended(place: SpoolPlace): void {
    // A place beyond it belongs to a spool that is no more.
    if (isBefore(place, this.#place)) this.#place = { segment: 0, offset: 0 };
    this.#written = place;
  }

  /**
   * The same one again until it is `shipped`.
   * @returns null where there is nothing more yet
   * @throws the file system's error
   */
  async next(): Promise<Portion | null> {
    const written = this.#written;
    if (written === null) return null;
    while (isBefore(this.#place, written)) {
      const { segment, offset } = this.#place;
      const file = await this.#fileOf(segment);
      const limit = file === null || segment === written.segment ? written.offset : (await file.stat()).size;
      if (file !== null && offset < limit) return readPortion(file, this.#place, limit);
      this.#place = segment === written.segment ? written : await this.#beginningAfter(segment, written);
    }
    return null;
  }

  /** Goes on behind the portion, and says so beside the segments. That it cannot be said there is no reason to stop: it would be shipped once more. */
  async shipped({ end }: Portion): Promise<void> {
    this.#place = end;
    const path = join(this.#directory, SHIPPED_FILE);
    await writeFile(`${path}.new`, JSON.stringify(end), { mode: 0o600 }).then(
      () => rename(`${path}.new`, path),
    ).catch(() => undefined);
  }

  async close(): Promise<void> {
    await this.#handle?.file.close();
    this.#handle = null;
  }

  /** @returns null where the segment is gone */
  async #fileOf(segment: number): Promise<FileHandle | null> {
    if (this.#handle?.segment === segment) return this.#handle.file;
    await this.close();
    try {
      const file = await open(join(this.#directory, segmentName(segment)), 'r');
      this.#handle = { segment, file };
      return file;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  }

  /** Segments may be missing: they are deleted when nobody needs them. */
  async #beginningAfter(segment: number, written: SpoolPlace): Promise<SpoolPlace> {
    const numbers = (await readdir(this.#directory)).map(segmentNumber).filter((number) => number !== null);
    return { segment: Math.min(written.segment, ...numbers.filter((number) => number > segment)), offset: 0 };
  }
}

async function readPortion(file: FileHandle, { segment, offset }: SpoolPlace, limit: number): Promise<Portion> {
  for (let size = PORTION_BYTES; ; size *= 2) {
    const length = Math.min(size, limit - offset);
    const buffer = Buffer.allocUnsafe(length);
    const { bytesRead } = await file.read(buffer, 0, length, offset);
    const { lines, damaged, end } = decodeLines(buffer.subarray(0, bytesRead), offset);
    const isAll = offset + length === limit || bytesRead < length;
    if (end === offset && !isAll && size < MAX_LINE_BYTES) continue;
    // What is left where no more is written, or no line can be so long, is no line.
    const next = isAll || end === offset ? (isAll ? limit : offset + length) : end;
    const rest = next > end ? [{ offset: end, bytes: next - end }] : [];
    return {
      records: lines.filter(({ type }) => type === 'end').map(recordOf),
      damaged: [...damaged, ...rest].map((range) => ({ ...range, segment })),
      end: { segment, offset: next },
    };
  }
}

function isBefore(a: SpoolPlace, b: SpoolPlace): boolean {
  return a.segment < b.segment || (a.segment === b.segment && a.offset < b.offset);
}
