// The spool: files that every record of the log is written to before its interaction's end is told, and that are deleted when all of it is shipped.
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import type { LogRecord, SpoolEntry } from '../../shared/log_record.ts';
import { encodeEntry, MAX_LINE_BYTES, parsePlace, segmentName, segmentNumber, SHIPPED_FILE, type SpoolPlace } from '../../shared/spool_format.ts';
import { StartError } from '../start_error.ts';
import { bytesToEnd, figuresOnly } from './figures_only.ts';
import { LineQueue, type Kept, type LineKind, type WaitingLine } from './line_queue.ts';
import { createLosses, type Losses } from './losses.ts';
import { Patience } from './patience.ts';
import { recover, type Recovery } from './recovery.ts';
import { createRoom, type Room } from './room.ts';
import { SegmentWriter } from './segment_writer.ts';
import { Segments, type Segment } from './segments.ts';
import { LIMITS, NEARLY_FULL, NOW_MS, SEGMENT_SHARE, type SpoolLimits, type SpoolOptions } from './spool_limits.ts';
import { writeNow } from './write_now.ts';

/**
 * Opens the spool. What an earlier server has left in it is looked through in the background, see `recovered`.
 * @throws StartError
 */
export async function openSpool(options: SpoolOptions, limits: Partial<SpoolLimits> = {}): Promise<Spool> {
  const { directory } = options;
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const numbers = (await readdir(directory)).map(segmentNumber).filter((number) => number !== null).toSorted((a, b) => a - b);
    const left = await Promise.all(numbers.map(async (number) => ({ number, size: (await stat(join(directory, segmentName(number)))).size })));
    const text = await readFile(join(directory, SHIPPED_FILE), 'utf8').catch(() => '');
    const segmentBytes = Math.min(LIMITS.segmentBytes, Math.ceil(options.maxBytes * SEGMENT_SHARE));
    return new Spool(options, { ...LIMITS, segmentBytes, ...limits }, left, parsePlace(text) ?? { segment: 0, offset: 0 });
  } catch (error) {
    const { code = String(error) } = error as NodeJS.ErrnoException;
    throw new StartError(1, `the directory for the log's spool ${directory} cannot be used: ${code}`);
  }
}

export class Spool {
  readonly #directory: string;
  readonly #room: Room;
  readonly #limits: SpoolLimits;
  readonly #losses: Losses;
  readonly #segments: Segments;
  readonly #writer: SegmentWriter;
  readonly #recovery: Recovery;
  readonly #waiting = new LineQueue();
  readonly #patience: Patience;
  readonly #closing = new AbortController();
  readonly #idleTimer: NodeJS.Timeout;
  /** What is being done with the newest segment, one thing at a time. */
  #work: Promise<void> | null = null;
  #isFailing = false;
  #spooled = 0;
  #appendedAt = 0;
  #listener: (place: SpoolPlace) => void = () => undefined;

  /** @param left segments of earlier servers, by number */
  constructor({ directory, maxBytes, log }: SpoolOptions, limits: SpoolLimits, left: readonly Segment[], shipped: SpoolPlace) {
    this.#directory = directory;
    this.#room = createRoom(maxBytes);
    this.#limits = limits;
    this.#losses = createLosses(log);
    this.#patience = new Patience(this.#waiting, limits.lateMs, log);
    const firstNumber = Math.max(shipped.segment, ...left.slice(-1).map(({ number }) => number)) + 1;
    this.#segments = new Segments(directory, left, firstNumber, shipped, log);
    this.#writer = new SegmentWriter(directory, firstNumber, limits.segmentBytes);
    this.#idleTimer = setInterval(() => this.#giveUpIdle(), limits.idleMs).unref();
    this.#recovery = recover({
      directory,
      segments: left.map(({ number }) => number),
      shipped,
      log,
      signal: this.#closing.signal,
      found: (ends) => {
        this.#spooled += ends;
      },
      scanned: (open) => {
        for (const [id, { segment }] of open) this.#segments.opened(id, segment);
        this.#segments.scanned();
        void this.#segments.trim();
      },
      interrupted: (record, isWanted) => this.#interrupt(record, isWanted),
    });
  }

  /** Resolves when what earlier servers left open has its end. */
  get recovered(): Promise<void> {
    return this.#recovery.done;
  }

  /** Bytes on the disk and on their way there. */
  get bytes(): number {
    return this.#segments.bytes + this.#waiting.bytes;
  }

  /** Records that nothing is left of, since the start. */
  get lost(): number {
    return this.#losses.count;
  }

  /** Records in it that are not shipped. */
  get spooled(): number {
    return Math.max(0, this.#spooled);
  }

  /** Whether records are being lost, or may be: they wait for a disk that does not answer, or there is hardly any room. */
  get isDegraded(): boolean {
    return this.#isFailing || this.#patience.isOver || this.#isNearlyFull || this.#waiting.bytes > this.#limits.waitingBytes * NEARLY_FULL;
  }

  /**
   * Appends an entry; those of one turn of the event loop are written together.
   * @returns resolves when it is in the system's hands, so that it outlives this process, or lost, or late; never rejects
   */
  append({ type, record }: SpoolEntry): Promise<Kept> {
    this.#recovery.taken(record.interaction_id);
    return this.#offer(type, record);
  }

  /** @param listener told, now and after each write, the place up to which everything may be read; whoever was told before is no more */
  onAppended(listener: (place: SpoolPlace) => void): void {
    this.#listener = listener;
    listener(this.#segments.end);
  }

  /** @param place everything before it is committed @param records how many more that are */
  shipped({ segment, offset }: SpoolPlace, records: number): void {
    this.#spooled -= records;
    this.#segments.shipped({ segment, offset });
    void this.#segments.trim();
  }

  /** Writes what waits, as long as the disk answers, and appends no more. What is shipped by now is deleted. */
  async close(): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#idleTimer);
    await this.#patience.whileItAnswers(this.#finish());
  }

  /**
   * Writes what waits before it returns, and appends no more: the process is about to end. Where the disk has kept a line waiting already, nothing is
   * written, and what was open is found interrupted.
   */
  closeNow(): void {
    this.#closing.abort();
    const { oldest } = this.#waiting;
    if (oldest === undefined || performance.now() - oldest.since > NOW_MS) return;
    writeNow(this.#directory, this.#writer.next, this.#waiting.all().map(({ line }) => line));
  }

  async #finish(): Promise<void> {
    await this.recovered;
    while (this.#work !== null) await this.#work;
    await this.#seal();
    await this.#segments.trim();
  }

  get #isNearlyFull(): boolean {
    return this.#room.isNearlyTaken(this.bytes);
  }

  async #interrupt(opened: LogRecord, isWanted: () => boolean): Promise<void> {
    const record: LogRecord = { ...opened, status: 'interrupted', error_code: null, error_message: null, response_time_ms: null };
    const { signal } = this.#closing;
    while (!signal.aborted && isWanted() && (await this.#offer('interrupted', record)) === 'lost') {
      await delay(this.#limits.retryMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  #offer(kind: LineKind, record: LogRecord): Promise<Kept> {
    const interactionId = record.interaction_id;
    let line = encodeEntry({ type: kind === 'open' ? 'open' : 'end', record });
    let refusal = this.#refusalOf(kind, interactionId, line.length, kind === 'open' ? bytesToEnd(record) : 0);
    if (refusal !== null && kind === 'end') {
      line = encodeEntry({ type: 'end', record: figuresOnly(record) });
      this.#losses.refused(0, refusal);
      refusal = this.#refusalOf(kind, interactionId, line.length, 0, this.#room.holds(interactionId));
    }
    const { promise, resolve } = Promise.withResolvers<Kept>();
    const waiting = { kind, interactionId, line, since: performance.now(), resolve };
    if (refusal !== null) {
      this.#lose(waiting, refusal);
      return promise;
    }
    if (kind === 'open') this.#room.reserve(interactionId, bytesToEnd(record));
    this.#waiting.push(waiting);
    this.#patience.watch(waiting);
    this.#work ??= this.#writeWaiting();
    return promise;
  }

  /** @param later bytes that are to be free beside the line's own @param isReserved whether its place has been kept free */
  #refusalOf(kind: LineKind, interactionId: string, bytes: number, later: number, isReserved = false): string | null {
    if (this.#closing.signal.aborted) return 'it is closed';
    if (bytes > MAX_LINE_BYTES) return 'it is too long';
    if (isReserved) return null;
    if (!this.#room.has(kind, interactionId, bytes + later, this.bytes)) return 'it is full';
    return this.#waiting.bytes > 0 && this.#waiting.bytes + bytes > this.#limits.waitingBytes ? 'the disk is too slow' : null;
  }

  async #writeWaiting(): Promise<void> {
    await nextTurn();
    while (!this.#waiting.isEmpty) await this.#waiting.ripe().then(() => this.#writeBatch());
    this.#work = null;
  }

  async #writeBatch(): Promise<void> {
    const batch = this.#waiting.take(this.#writer.room);
    const { lines, segment, size, failure } = await this.#writer.write(batch.map(({ line }) => line));
    if (lines > 0) this.#segments.grew(segment, size);
    this.#waiting.done();
    this.#patience.wrote();
    for (const each of batch.slice(0, lines)) this.#keep(each);
    for (const each of batch.slice(lines)) this.#lose(each, failure ?? 'unknown error');
    this.#isFailing = failure !== null;
    if (failure === null && !this.#isNearlyFull) this.#losses.over();
    if (lines === 0) return;
    this.#appendedAt = performance.now();
    this.#listener(this.#segments.end);
  }

  #keep({ kind, interactionId, resolve }: WaitingLine): void {
    if (kind === 'open') {
      this.#segments.opened(interactionId);
    } else {
      this.#segments.ended(interactionId);
      this.#room.release(interactionId);
      this.#spooled += 1;
    }
    resolve('kept');
  }

  #lose({ kind, interactionId, resolve }: WaitingLine, reason: string): void {
    if (kind === 'end') this.#segments.ended(interactionId);
    this.#room.release(interactionId);
    this.#losses.refused(kind === 'end' ? 1 : 0, reason);
    resolve('lost');
  }

  #giveUpIdle(): void {
    const isIdle = this.#work === null && performance.now() - this.#appendedAt >= this.#limits.idleMs;
    if (!isIdle || !this.#segments.newestIsDone) return;
    this.#work = this.#seal().then(() => this.#segments.trim()).then(() => this.#writeWaiting());
  }

  async #seal(): Promise<void> {
    await this.#writer.seal();
    this.#segments.seal();
  }
}
