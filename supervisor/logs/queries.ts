// The supervisor's side of the query thread: starts it at the first question, and again when it breaks or a question holds it up.
import type { Worker } from 'node:worker_threads';
import { AppError } from '../../shared/errors.ts';
import type { LogListing, LogQuestion, QueryCommand, QueryReport, QuerySettings } from '../../shared/log_protocol.ts';
import type { Logger } from '../log.ts';
import { createPortionQueue } from './portion_queue.ts';
import {
  CLOSE_TIMEOUT_MS, MAX_ATTEMPTS, MAX_LISTINGS, MAX_LOST_THREADS, MAX_OF_CALLER, MAX_QUESTIONS, PORTION_TIMEOUT_MS, STATEMENT_TIMEOUT_MS, THREAD_FACTORS,
  WAIT_TIMEOUT_MS, WINDOW, type QueriesOptions,
} from './query_limits.ts';
import { startQueryThread } from './query_thread.ts';

/** What becomes of a question. */
interface Words {
  answer(json: string | null): void;
  portion(text: string): void;
  end(): void;
  fail(error: Error): void;
}

/** A question until its last word, though its asker may be gone. */
interface Asked extends Words {
  readonly question: LogQuestion | LogListing;
  readonly callerId: string;
  attempts: number;
  /** A portion has come: it cannot be asked again. */
  begun: boolean;
  abandoned: boolean;
  timer: NodeJS.Timeout | undefined;
}

export class Queries {
  readonly #settings: QuerySettings;
  readonly #waitTimeoutMs: number;
  readonly #portionTimeoutMs: number;
  readonly #log: Logger;
  readonly #asked = new Map<number, Asked>();
  #thread: Worker | null = null;
  #lostThreads = 0;
  #lastId = 0;
  #closed = false;

  constructor(options: QueriesOptions, log: Logger) {
    const { backend, statementTimeoutMs = STATEMENT_TIMEOUT_MS } = options;
    this.#settings = { backend, statementTimeoutMs };
    this.#waitTimeoutMs = options.waitTimeoutMs ?? WAIT_TIMEOUT_MS;
    this.#portionTimeoutMs = options.portionTimeoutMs ?? PORTION_TIMEOUT_MS;
    this.#log = log;
  }

  /**
   * @param callerId of `Caller`: one may ask a few at a time
   * @returns JSON; null where there is no such row
   * @throws AppError LOG_UNAVAILABLE, LOG_BUSY, LOG_TIMEOUT, SHUTTING_DOWN; the signal's reason
   */
  async ask(question: LogQuestion, callerId: string, signal: AbortSignal): Promise<string | null> {
    const { promise, resolve, reject } = Promise.withResolvers<string | null>();
    this.#begin(question, callerId, signal, { answer: resolve, portion: () => undefined, end: () => resolve(null), fail: reject });
    return promise;
  }

  /**
   * Resolves when the first portion has come. Its reader sets the pace, and has to read it to the end, leave it, or abort the signal.
   * @returns null for a session of which there is nothing
   * @throws as `ask`; so does the reading, where something breaks in between
   */
  async list(listing: LogListing, callerId: string, signal: AbortSignal): Promise<AsyncIterable<string> | null> {
    const { promise, resolve, reject } = Promise.withResolvers<AsyncIterable<string> | null>();
    const queue = createPortionQueue({
      taken: () => this.#post({ type: 'credit', id, portions: 1 }),
      left: () => this.#abandon(id),
      late: () => this.#abandon(id, new AppError('LOG_TIMEOUT')),
      lateMs: this.#portionTimeoutMs,
    });
    const id = this.#begin(listing, callerId, signal, {
      answer: () => resolve(null),
      portion: (text) => {
        queue.push(text);
        resolve(queue.portions);
      },
      end: () => {
        queue.end();
        resolve(queue.portions);
      },
      fail: (error) => {
        queue.end(error);
        reject(error);
      },
    });
    return promise;
  }

  /** Fails what is still asked, and ends the thread: one that a statement holds up ends with that, or with the process. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const id of [...this.#asked.keys()]) this.#settle(id)?.fail(new AppError('SHUTTING_DOWN'));
    const thread = this.#thread;
    this.#thread = null;
    if (thread === null) return;
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, CLOSE_TIMEOUT_MS);
    await Promise.race([thread.terminate(), late.promise]);
    clearTimeout(timer);
  }

  #begin(question: LogQuestion | LogListing, callerId: string, signal: AbortSignal, words: Words): number {
    signal.throwIfAborted();
    if (this.#closed) throw new AppError('SHUTTING_DOWN');
    const all = [...this.#asked.values()];
    const isFull = all.length >= MAX_QUESTIONS || (isListing(question) && all.filter((each) => isListing(each.question)).length >= MAX_LISTINGS);
    if (isFull || all.filter((each) => each.callerId === callerId).length >= MAX_OF_CALLER) throw new AppError('LOG_BUSY');
    const asked: Asked = { ...words, question, callerId, attempts: 0, begun: false, abandoned: false, timer: undefined };
    const id = (this.#lastId += 1);
    this.#send(id, asked);
    this.#asked.set(id, asked);
    signal.addEventListener('abort', () => this.#abandon(id, signal.reason as Error), { once: true });
    return id;
  }

  /** @throws AppError LOG_BUSY where no thread can be begun */
  #send(id: number, asked: Asked): void {
    this.#thread ??= this.#start();
    asked.attempts += 1;
    this.#post({ type: 'ask', id, question: asked.question });
    if (isListing(asked.question)) this.#post({ type: 'credit', id, portions: WINDOW });
    this.#wait(id, asked);
  }

  #wait(id: number, asked: Asked): void {
    this.#time(asked, this.#waitTimeoutMs, () => this.#abandon(id, new AppError('LOG_BUSY')));
  }

  #time(asked: Asked, ms: number, late: () => void): void {
    clearTimeout(asked.timer);
    asked.timer = setTimeout(late, ms);
  }

  /** Nobody waits any more; the thread confirms it, as it may be at a statement for it that does not end. */
  #abandon(id: number, reason?: Error): void {
    const asked = this.#asked.get(id);
    if (asked === undefined || asked.abandoned) return;
    asked.abandoned = true;
    if (reason !== undefined) asked.fail(reason);
    this.#post({ type: 'abandon', id });
  }

  #post(command: QueryCommand): void {
    this.#thread?.postMessage(command);
  }

  #start(): Worker {
    if (this.#lostThreads >= MAX_LOST_THREADS) throw new AppError('LOG_BUSY');
    const thread = startQueryThread(this.#settings);
    thread.on('message', (report: QueryReport) => {
      if (thread === this.#thread) this.#take(report);
    });
    thread.on('error', (error) => this.#log.error({ reason: error.message }, 'the thread that reads the log broke'));
    thread.on('exit', () => {
      if (thread === this.#thread) this.#askAgain();
    });
    return thread;
  }

  #take(report: QueryReport): void {
    const { id } = report;
    const asked = this.#asked.get(id);
    if (asked === undefined) return;
    switch (report.type) {
      case 'working':
        this.#time(asked, this.#settings.statementTimeoutMs * THREAD_FACTORS[this.#settings.backend.type], () => this.#replaceThread(id));
        return;
      case 'waiting':
        if (asked.begun) clearTimeout(asked.timer);
        else this.#wait(id, asked);
        return;
      case 'portion':
        clearTimeout(asked.timer);
        asked.begun = true;
        asked.portion(report.text);
        return;
      case 'answer':
        this.#settle(id)?.answer(report.json);
        return;
      case 'end':
        this.#settle(id)?.end();
        return;
      case 'failed':
        this.#settle(id)?.fail(this.#errorOf(report));
        return;
      default:
        report satisfies never;
    }
  }

  /** @param id of the question whose statement holds the thread up */
  #replaceThread(id: number): void {
    const thread = this.#thread;
    if (thread === null) return;
    this.#log.warn('a question to the log took too long: its thread is replaced');
    this.#lostThreads += 1;
    thread.once('exit', () => (this.#lostThreads -= 1));
    void thread.terminate();
    this.#settle(id)?.fail(new AppError('LOG_TIMEOUT'));
    this.#askAgain();
  }

  /** On another thread, what can be. */
  #askAgain(): void {
    this.#thread = null;
    for (const [id, asked] of [...this.#asked]) {
      if (asked.abandoned || asked.begun || asked.attempts >= MAX_ATTEMPTS) this.#settle(id)?.fail(new AppError('LOG_UNAVAILABLE'));
      else {
        try {
          this.#send(id, asked);
        } catch (error) {
          this.#settle(id)?.fail(error as Error);
        }
      }
    }
  }

  /** @returns the question, whose last word is yet to be told */
  #settle(id: number): Asked | undefined {
    const asked = this.#asked.get(id);
    clearTimeout(asked?.timer);
    this.#asked.delete(id);
    return asked;
  }

  #errorOf({ reason, message }: QueryReport & { type: 'failed' }): Error {
    if (reason === 'slow') return new AppError('LOG_TIMEOUT');
    if (reason === 'failed') return new Error(`a question to the log failed: ${message}`);
    this.#log.warn({ reason: message }, 'the log cannot be read');
    return new AppError('LOG_UNAVAILABLE');
  }
}

function isListing(question: LogQuestion | LogListing): question is LogListing {
  return question.type === 'page' || question.type === 'session' || question.type === 'export';
}
