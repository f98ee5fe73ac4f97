// How long anybody waits for the disk of the spool: one that does not answer, such as a network's, would hold back every end for ever.
import type { Logger } from '../log.ts';
import type { LineQueue, WaitingLine } from './line_queue.ts';

export class Patience {
  readonly #queue: LineQueue;
  readonly #limitMs: number;
  readonly #log: Logger;
  /** Runs while a line waits that is not told to be late, though not for each. */
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;
  #answeredAt = 0;

  /** @param limitMs a line that has waited for so long is told to be late, and so are all others until the disk answers */
  constructor(queue: LineQueue, limitMs: number, log: Logger) {
    this.#queue = queue;
    this.#limitMs = limitMs;
    this.#log = log;
  }

  /** The disk does not answer. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** @param line has just begun to wait */
  watch(line: WaitingLine): void {
    if (this.#isOver) tellLate(line);
    else this.#timer ??= this.#lookIn(this.#limitMs);
  }

  /** What became of some lines is known. */
  wrote(): void {
    this.#answeredAt = performance.now();
    if (!this.#isOver || this.#remainingMs() <= 0) return;
    this.#isOver = false;
    this.#log.info('the disk of the log\'s spool answers again');
  }

  /** Resolves with the work, or when the disk has not answered for so long as a line may wait; told is then what is left behind. */
  async whileItAnswers(work: Promise<void>): Promise<void> {
    this.#answeredAt = performance.now();
    const stuck = Promise.withResolvers<'stuck'>();
    const look = setInterval(() => {
      if (performance.now() - this.#answeredAt >= this.#limitMs) stuck.resolve('stuck');
    }, this.#limitMs / 4);
    if ((await Promise.race([work, stuck.promise])) === 'stuck') {
      this.#log.error({ waiting: this.#queue.all().length }, 'the spool of the log was left before its disk had taken everything');
    }
    clearInterval(look);
    clearTimeout(this.#timer);
  }

  #lookIn(ms: number): NodeJS.Timeout {
    // An event loop that was busy finds the timer before the disk's answer, which may have been there all the while: what has come is read first.
    return setTimeout(() => setImmediate(() => this.#look()), ms);
  }

  #look(): void {
    this.#timer = undefined;
    const remainingMs = this.#remainingMs();
    if (remainingMs > 0) {
      if (remainingMs !== Number.POSITIVE_INFINITY) this.#timer = this.#lookIn(remainingMs);
      return;
    }
    const waiting = this.#queue.all();
    this.#isOver = true;
    this.#log.error({ waiting: waiting.length }, 'the disk of the log\'s spool does not answer: records wait for it, and interactions do no more');
    for (const line of waiting) tellLate(line);
  }

  /** Until the oldest line is late. */
  #remainingMs(): number {
    const { oldest } = this.#queue;
    return oldest === undefined ? Number.POSITIVE_INFINITY : oldest.since + this.#limitMs - performance.now();
  }
}

/** Nobody but the recovery waits for what is `interrupted`, and that one wants to know what becomes of it. */
function tellLate({ kind, resolve }: WaitingLine): void {
  if (kind !== 'interrupted') resolve('late');
}
