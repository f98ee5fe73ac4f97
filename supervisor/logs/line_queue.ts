// Lines of the spool that wait for the disk, in the order in which they came.
import { setTimeout as delay } from 'node:timers/promises';
import type { SpoolEntry } from '../../shared/log_record.ts';

/** `lost`: nothing of the entry is in the spool. `late`: it waits for the disk, for too long already; what becomes of it is not known yet. */
export type Kept = 'kept' | 'lost' | 'late';

/** An `interrupted` is written as an `end`, of an interaction of an earlier server. */
export type LineKind = SpoolEntry['type'] | 'interrupted';

export interface WaitingLine {
  readonly kind: LineKind;
  readonly interactionId: string;
  readonly line: Buffer;
  /** When it began to wait, on the clock of `performance.now()`. */
  readonly since: number;
  readonly resolve: (kept: Kept) => void;
}

/** So many lines at once are those of many interactions, none of which notices a millisecond. */
const MANY = 4;
/** From when many were taken until the next are: a write wakes a thread, which costs more than to write. */
const APART_MS = 2;

export class LineQueue {
  #lines: WaitingLine[] = [];
  /** Those that are being written. */
  #taken: readonly WaitingLine[] = [];
  #bytes = 0;
  #ripeAt = 0;

  /** Of all lines, those that were taken and are being written included. */
  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#lines.length === 0;
  }

  /** The one that has waited for the longest; those that are being written wait as well. */
  get oldest(): WaitingLine | undefined {
    return this.#taken[0] ?? this.#lines[0];
  }

  /** All that wait, oldest first. */
  all(): readonly WaitingLine[] {
    return [...this.#taken, ...this.#lines];
  }

  push(line: WaitingLine): void {
    this.#lines.push(line);
    this.#bytes += line.line.length;
  }

  /** Resolves when the next may be taken. */
  async ripe(): Promise<void> {
    const waitMs = this.#ripeAt - performance.now();
    if (waitMs > 0) await delay(waitMs);
  }

  /** @returns the oldest ones, until they fill `room` bytes; the last may be longer, so that there is always one */
  take(room: number): readonly WaitingLine[] {
    let left = room;
    const last = this.#lines.findIndex(({ line }) => (left -= line.length) <= 0);
    this.#taken = this.#lines.splice(0, last === -1 ? this.#lines.length : last + 1);
    this.#ripeAt = this.#taken.length < MANY ? 0 : performance.now() + APART_MS;
    return this.#taken;
  }

  /** What became of those that were taken last is known: they wait no more. */
  done(): void {
    for (const { line } of this.#taken) this.#bytes -= line.length;
    this.#taken = [];
  }
}
