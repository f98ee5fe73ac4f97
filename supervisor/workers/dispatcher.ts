// Gives each interaction to the least busy worker that can take it, or lets it wait in one bounded queue.
import type { Generation } from './generation.ts';
import type { Job, SentTask } from './job.ts';
import { OwnWorkers } from './own_worker.ts';
import type { Slot } from './slot.ts';

export class Dispatcher {
  /** For those that are not to share a worker, and never wait in the queue. */
  readonly own: OwnWorkers;
  readonly #generation: () => Generation;
  #queue = new Set<Job>();
  /** A seat is held for them while what they are sent is brought. */
  readonly #preparing = new Set<Job>();
  /** Interactions that were promised a place in the queue while they wait for their session. */
  #reserved = 0;
  readonly #limit: number;

  /** @param generation the one that serves now @param limit how many interactions may wait */
  constructor(generation: () => Generation, limit: number) {
    this.#generation = generation;
    this.own = new OwnWorkers(generation);
    this.#limit = limit;
  }

  get queued(): number {
    return this.#queue.size + this.#reserved;
  }

  /** Whether any worker lives, busy or not. */
  get hasWorkers(): boolean {
    return this.#generation().serving.some((slot) => slot.state !== 'lost');
  }

  /** Whether one more may come: a worker has a seat, or the queue a place. */
  get hasRoom(): boolean {
    return this.queued < this.#limit || (this.#queue.size === 0 && this.#leastBusy() !== undefined);
  }

  /** Whether one more may wait for something else than a worker first. */
  reserve(): boolean {
    if (this.queued >= this.#limit) return false;
    this.#reserved += 1;
    return true;
  }

  /** Gives a reserved place back, before `submit` or instead of it. */
  release(): void {
    this.#reserved -= 1;
  }

  /** Runs the job now, or when a worker is free. The caller has asked `hasRoom` or `reserve` before. */
  submit(job: Job): void {
    this.#queue.add(job);
    this.assign();
  }

  /** Takes a waiting job out. @returns whether it was waiting */
  withdraw(job: Job): boolean {
    return this.#queue.delete(job) || this.#preparing.delete(job);
  }

  /** To be called whenever a worker may have become free. */
  assign(): void {
    for (const job of this.#queue) {
      const slot = this.#leastBusy();
      if (slot === undefined) return;
      this.#queue.delete(job);
      const task = job.task();
      if (task instanceof Promise) void this.#prepare(job, slot, task);
      else if (task !== null) run(job, slot, task);
    }
  }

  /** A worker that has broken meanwhile does not get it: it is the first to get another. */
  async #prepare(job: Job, slot: Slot, promised: Promise<SentTask | null>): Promise<void> {
    this.#preparing.add(job);
    const release = slot.hold();
    const task = await promised;
    release();
    if (this.#preparing.delete(job) && task !== null) {
      if (slot.hasSeat) run(job, slot, task);
      else this.#queue = new Set([job, ...this.#queue]);
    }
    this.assign();
  }

  #leastBusy(): Slot | undefined {
    let best: Slot | undefined;
    for (const slot of this.#generation().serving) {
      if (slot.hasSeat && (best === undefined || slot.load < best.load)) best = slot;
    }
    return best;
  }
}

function run(job: Job, slot: Slot, task: SentTask): void {
  job.assigned(slot);
  slot.run(task, job.listener);
}
