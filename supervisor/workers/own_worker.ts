// Workers for one interaction each: started for it, with its environment as their own, and destroyed after it.
import { AppError } from '../../shared/errors.ts';
import { BootError } from './boot_error.ts';
import { CLOSE_GRACE_MS, type Generation } from './generation.ts';
import type { Job } from './job.ts';
import type { Slot } from './slot.ts';
import type { WorkerSettings } from './thread.ts';

/** An interaction that wants a worker of its own. */
export interface OwnJob extends Job {
  /** The variables that its request sets. */
  readonly env: Readonly<Record<string, string>>;
  /** The agent did not load in its worker. @param reason for the log */
  failed(reason: string): void;
}

/** As many at once as the serving generation has workers: each is one more thread with the memory of one. */
export class OwnWorkers {
  readonly #generation: () => Generation;
  /** Interactions that were promised one. */
  #promised = 0;
  /** Those that live, the ones that are being ended included. */
  #threads = 0;
  readonly #waiting: (() => void)[] = [];

  /** @param generation the one that serves now */
  constructor(generation: () => Generation) {
    this.#generation = generation;
  }

  /** To be given back by `end`. @throws AppError OWN_WORKERS_BUSY */
  reserve(): OwnWorker {
    if (this.#promised >= this.#limit) throw new AppError('OWN_WORKERS_BUSY');
    this.#promised += 1;
    return new OwnWorker(this, () => void (this.#promised -= 1));
  }

  /** Starts a thread, when those that are being ended leave room for it. `isWanted` is asked then. To be given back by `threadEnded`. */
  async startThread(isWanted: () => boolean, env: OwnJob['env']): Promise<readonly [Generation, Slot] | null> {
    while (this.#threads >= this.#limit) await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    if (!isWanted()) {
      this.#waiting.shift()?.();
      return null;
    }
    const generation = this.#generation();
    this.#threads += 1;
    try {
      return [generation, generation.startBeside((settings) => ownSettings(settings, env))];
    } catch (error) {
      this.threadEnded();
      throw error;
    }
  }

  threadEnded(): void {
    this.#threads -= 1;
    this.#waiting.shift()?.();
  }

  get #limit(): number {
    return this.#generation().serving.length;
  }
}

export class OwnWorker {
  readonly #workers: OwnWorkers;
  readonly #onEnd: () => void;
  /** The one that boots or runs; undefined before, between two, and after. */
  #slot: Slot | undefined;
  /** For the thread of an earlier one, which a blocking call can keep, to make room for its own. */
  isWaiting = false;
  #ended = false;

  /** @param onEnd told once */
  constructor(workers: OwnWorkers, onEnd: () => void) {
    this.#workers = workers;
    this.#onEnd = onEnd;
  }

  /** Starts a worker and runs the job in it, once; called again, when that worker was lost before it began, in another. Never rejects. */
  async run(job: OwnJob): Promise<void> {
    this.#leave();
    this.isWaiting = true;
    const started = await this.#workers.startThread(() => !this.#ended, job.env).catch((error: unknown) => job.failed(String(error)));
    this.isWaiting = false;
    if (!started) return;
    const [generation, slot] = started;
    this.#slot = slot;
    if (this.#ended) this.#leave();
    // A generation that is left meanwhile waits for whoever holds a seat.
    const release = slot.hold();
    try {
      await generation.bootedInTime(slot);
      const task = this.#slot === slot ? await job.task() : null;
      if (task === null || this.#slot !== slot) return;
      job.assigned(slot);
      if (slot.state === 'lost') job.listener.lost('WORKER_CRASHED', false);
      else slot.run(task, job.listener);
    } catch (error) {
      if (this.#slot === slot) job.failed(error instanceof BootError ? error.message : String(error));
    } finally {
      release();
    }
  }

  /** The interaction is over, or was never begun: its worker is destroyed. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#leave();
    this.#onEnd();
  }

  #leave(): void {
    const slot = this.#slot;
    this.#slot = undefined;
    // What boots holds nothing yet that it could close.
    void slot?.close(slot.state === 'booting' ? 0 : CLOSE_GRACE_MS).then(() => this.#workers.threadEnded());
  }
}

function ownSettings(settings: WorkerSettings, env: OwnJob['env']): WorkerSettings {
  return { ...settings, concurrency: 1, baseEnv: { ...settings.baseEnv, ...environmentOf(settings), ...env } };
}

/** What the agent's definitions set for every interaction. That of a module only a worker can know, which sets it when the interaction begins. */
function environmentOf({ usedDefinitions }: WorkerSettings): Record<string, string> {
  // The agent's own is the first, and wins.
  const entries = Object.values(usedDefinitions).toReversed().flatMap(({ value }) => value.environment);
  return Object.fromEntries(entries.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]));
}
