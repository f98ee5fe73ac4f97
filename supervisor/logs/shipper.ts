// The supervisor's side of the shipping thread: tells it what the spool has, hears what is in the database, starts it again when it breaks.
import { Worker } from 'node:worker_threads';
import type { ShipCommand, ShipReport, ShipSettings, UpkeepWork } from '../../shared/log_protocol.ts';
import type { SpoolPlace } from '../../shared/spool_format.ts';
import type { Logger } from '../log.ts';
import type { Spool } from './spool.ts';

/** A worker's file has the extension of ours: .ts in a checkout, .js in the package. */
const EXTENSION = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
const THREAD_FILE = new URL(`../../worker/logs/ship${EXTENSION}`, import.meta.url);

const FIRST_RESTART_MS = 500;
const LAST_RESTART_MS = 30_000;
/** From the first line that the thread is not told of: to wake it costs more than to write a record, and a portion its transaction, however many it has. */
const GATHER_MS = 100;
/** What is not shipped by then is shipped by the next owner of the spool. */
const CLOSE_GRACE_MS = 2000;
/** For a thread to do what it is told. */
const TERMINATE_MS = 500;
/** Records are text of a few KiB, read in portions: a thread that takes more than this is not sound. */
const HEAP_MB = 256;

/** What fails of what the thread does every hour, in the log's words. */
const UPKEEP: Readonly<Record<UpkeepWork, string>> = {
  retention: 'the deletion of rows of the log that are too old',
  maintenance: 'the maintenance of the log\'s database',
};

/** Ids that one line of the log has. */
const MOST_NAMED = 20;

type ShippedSpool = Pick<Spool, 'onAppended' | 'shipped'>;

export class Shipper {
  readonly #file: URL;
  readonly #settings: ShipSettings;
  readonly #spool: ShippedSpool;
  readonly #log: Logger;
  #thread: Worker | null = null;
  #timer: NodeJS.Timeout | undefined;
  /** Up to which it may read, and when it is told. */
  #written: SpoolPlace | null = null;
  #gathering: NodeJS.Timeout | undefined;
  #restartMs = FIRST_RESTART_MS;
  #isConnected = false;
  #deadLetters = 0;
  #lost = 0;
  #closing: (() => void) | null = null;

  /** @param file what the thread runs; a test may want another */
  constructor(settings: ShipSettings, spool: ShippedSpool, log: Logger, file = THREAD_FILE) {
    this.#file = file;
    this.#settings = settings;
    this.#spool = spool;
    this.#log = log;
    this.#start();
  }

  /** Whether the database answers. */
  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** Records that the database does not take. */
  get deadLetters(): number {
    return this.#deadLetters;
  }

  /** Records that have no row, as one of another interaction has their id. */
  get lost(): number {
    return this.#lost;
  }

  /** Ships what there is, for a little while; a thread that a statement holds up ends with that, or with the process. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    const thread = this.#thread;
    if (thread === null) return;
    const closed = Promise.withResolvers<void>();
    this.#closing = closed.resolve;
    this.#tellWritten();
    this.#post({ type: 'close', graceMs: CLOSE_GRACE_MS });
    const timer = setTimeout(closed.resolve, CLOSE_GRACE_MS + TERMINATE_MS);
    await closed.promise;
    clearTimeout(timer);
    const late = Promise.withResolvers<void>();
    const limit = setTimeout(late.resolve, TERMINATE_MS);
    await Promise.race([thread.terminate(), late.promise]);
    clearTimeout(limit);
  }

  #start(): void {
    const thread = new Worker(this.#file, {
      workerData: this.#settings,
      // The connection string crosses as data; nothing of the process's environment is the thread's business.
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
      name: 'log shipping',
    });
    this.#thread = thread;
    thread.on('message', (report: ShipReport) => this.#take(report));
    thread.on('error', (error) => this.#log.error({ reason: error.message }, 'the thread that ships the log broke'));
    thread.on('exit', () => this.#ended(thread));
    this.#spool.onAppended((place) => this.#grew(place));
    // Also of what came while there was no thread.
    this.#tellWritten();
  }

  #grew(place: SpoolPlace): void {
    this.#written = place;
    this.#gathering ??= setTimeout(() => this.#tellWritten(), GATHER_MS);
  }

  #tellWritten(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    if (this.#written === null) return;
    const { segment, offset } = this.#written;
    this.#post({ type: 'appended', segment, offset });
  }

  #ended(thread: Worker): void {
    if (this.#thread !== thread) return;
    this.#thread = null;
    this.#isConnected = false;
    // The next one counts anew.
    this.#deadLetters = 0;
    if (this.#closing !== null) {
      this.#closing();
      return;
    }
    this.#startLater();
  }

  #startLater(): void {
    this.#timer = setTimeout(() => {
      try {
        this.#start();
      } catch (error) {
        // The system has no thread to give.
        this.#log.error({ reason: (error as Error).message }, 'the thread that ships the log does not start');
        this.#startLater();
      }
    }, this.#restartMs);
    this.#restartMs = Math.min(LAST_RESTART_MS, this.#restartMs * 2);
  }

  #post(command: ShipCommand): void {
    this.#thread?.postMessage(command);
  }

  #take(report: ShipReport): void {
    switch (report.type) {
      case 'shipped':
        this.#restartMs = FIRST_RESTART_MS;
        this.#spool.shipped({ segment: report.segment, offset: report.offset }, report.records);
        return;
      case 'damaged':
        this.#log.warn({ segment: report.segment, offset: report.offset, bytes: report.bytes }, 'a damaged part of the log\'s spool was skipped');
        return;
      case 'connected':
        this.#isConnected = report.connected;
        this.#log[report.connected ? 'info' : 'warn']({ reason: report.reason }, `the log's database ${report.connected ? 'answers' : 'cannot be used'}`);
        return;
      case 'reused':
        this.#lost += report.interactionIds.length;
        this.#log.warn(
          { interaction_ids: report.interactionIds.slice(0, MOST_NAMED), lost: report.interactionIds.length },
          'records of the log are lost: their interaction ids were used before, by interactions that have their rows',
        );
        return;
      case 'dead_letters':
        if (report.count > this.#deadLetters) this.#log.error({ count: report.count }, 'records of the log are refused by its database');
        this.#deadLetters = report.count;
        return;
      case 'upkeep':
        if (report.reason === null) this.#log.info(`${UPKEEP[report.work]} goes well again`);
        else this.#log.error({ reason: report.reason }, `${UPKEEP[report.work]} fails; it is tried again every minute`);
        return;
      case 'closed':
        this.#closing?.();
        return;
      default:
        report satisfies never;
    }
  }
}
