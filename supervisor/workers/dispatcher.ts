// Gives each interaction to the least busy worker that can take it, or lets it wait in one bounded queue.
import type { InteractionTask } from '../../shared/protocol.ts';
import type { Generation } from './generation.ts';
import type { Slot } from './slot.ts';
import type { SlotListener } from './slot_listener.ts';

/** An interaction that wants a worker. */
export interface Job {
  /** Called when a worker has been found: what it is sent, or null when it is wanted no longer. */
  task(): Omit<InteractionTask, 'seat'> | null;
  readonly listener: SlotListener;
  /** Called with the worker that got it. */
  assigned(slot: Slot): void;
}

export class Dispatcher {
  readonly #generation: () => Generation;
  readonly #queue = new Set<Job>();
  /** Interactions that were promised a place in the queue while they wait for their session. */
  #reserved = 0;
  readonly #limit: number;

  /** @param generation the one that serves now @param limit how many interactions may wait */
  constructor(generation: () => Generation, limit: number) {
    this.#generation = generation;
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
    return this.#queue.delete(job);
  }

  /** To be called whenever a worker may have become free. */
  assign(): void {
    for (const job of this.#queue) {
      const slot = this.#leastBusy();
      if (slot === undefined) return;
      this.#queue.delete(job);
      const task = job.task();
      if (task === null) continue;
      job.assigned(slot);
      slot.run(task, job.listener);
    }
  }

  #leastBusy(): Slot | undefined {
    let best: Slot | undefined;
    for (const slot of this.#generation().serving) {
      if (slot.hasSeat && (best === undefined || slot.active < best.active)) best = slot;
    }
    return best;
  }
}
