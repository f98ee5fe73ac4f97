// The generations of workers: the one that serves, the one that a reload builds beside it, and those that only finish what they have.
import { resolve } from 'node:path';
import type { Logger } from '../log.ts';
import type { Release } from '../release.ts';
import { StartError } from '../start_error.ts';
import { loadFailed, logTried, makeGeneration, readSettings, startGeneration } from './boot.ts';
import { CLOSE_GRACE_MS, type Generation } from './generation.ts';
import { goneInTime } from './gone_in_time.ts';
import { shared } from './kept_modules.ts';
import type { Slot } from './slot.ts';
import { tryVersion } from './trial.ts';

/** Old generations that may finish what they have; of more, the oldest is cut: each holds the memory of all its workers. */
const MAX_DRAINING = 2;

export interface GenerationsOptions {
  readonly log: Logger;
  /** Told whenever a worker may have become free. */
  onCapacity(): void;
}

/** A generation that could not be built in time, or did not do what it was tried with, is never seen by a caller. */
export class Generations {
  readonly #options: GenerationsOptions;
  #serving: Generation | undefined;
  #coming: Generation | null = null;
  /** Those that still have interactions, oldest first. */
  #draining: Generation[] = [];
  /** Those that have none, and whose workers close what their agents hold. */
  readonly #ending = new Set<Generation>();
  readonly #closing = new AbortController();
  #filesOfLast: readonly string[] = [];

  constructor(options: GenerationsOptions) {
    this.#options = options;
  }

  /** The one that takes what is new. */
  get serving(): Generation {
    if (this.#serving === undefined) throw new Error('no generation serves yet');
    return this.#serving;
  }

  /** Interactions in generations that do not serve any more. */
  get remaining(): number {
    let remaining = 0;
    for (const generation of this.#draining) for (const { active } of generation.all()) remaining += active;
    return remaining;
  }

  /** The agent's files as the last build knew them, and those of the one that serves; absolute paths. */
  get files(): readonly string[] {
    return [...new Set([...this.#filesOfLast, ...(this.#serving?.files ?? [])])];
  }

  /** Every slot whose thread may live. */
  *all(): Generator<Slot> {
    for (const generation of this.#living()) yield* generation.all();
  }

  /** The first one. @throws StartError with exit code 78 */
  async start(release: Release): Promise<Generation> {
    this.#serving = await this.#build(release, 1);
    return this.#serving;
  }

  /**
   * Builds the next generation aside, once a process of its own has shown that it loads and that its smoke test succeeds, and lets it take over once all of
   * its workers are ready; the one before it finishes what it has. Whatever fails, nothing is changed.
   * @param commit called in the moment of the change
   * @throws StartError
   */
  async replace(release: Release, commit: () => void): Promise<Generation> {
    const old = this.serving;
    const fresh = await this.#build(release, old.number + 1, true);
    this.#serving = fresh;
    commit();
    this.#drain(old);
    this.#options.onCapacity();
    return fresh;
  }

  /** What is being built is given up: whoever waits for it is told. No other is begun. */
  async stopBuilding(): Promise<void> {
    this.#closing.abort(new Error('the server is stopping'));
    if (this.#coming !== null) await goneInTime(this.#coming.cut('the server is stopping'));
  }

  /** Ends every worker, giving each `graceMs` to close what its agent holds. @returns whether all threads are gone; those left end with the process */
  async close(graceMs: number): Promise<boolean> {
    await this.stopBuilding();
    return goneInTime(Promise.all(this.#living().map((generation) => generation.close(graceMs))), graceMs);
  }

  #living(): Generation[] {
    return [this.#serving, this.#coming, ...this.#draining, ...this.#ending].filter((generation) => generation !== undefined && generation !== null);
  }

  async #build(release: Release, number: number, isTried = false): Promise<Generation> {
    const { log } = this.#options;
    const { workers, bootTimeoutMs } = release.config;
    const settings = await readSettings(release).catch((error: unknown) => {
      // A definition that is named for the first time, and broken, is to be watched too.
      if (error instanceof StartError && error.file !== null) this.#filesOfLast = [...new Set([...this.#filesOfLast, resolve(error.file)])];
      throw error;
    });
    const generation = makeGeneration({ release, settings, number, workers, log, onCapacity: () => this.#options.onCapacity() });
    this.#coming = generation;
    let triedFiles: readonly string[] = [];
    try {
      if (isTried) {
        const { failure, files, modules, said } = await tryVersion({ settings, bootTimeoutMs }, release.nodeOptions, this.#closing.signal);
        triedFiles = files;
        logTried(said, log);
        if (failure !== null) throw loadFailed(failure);
        generation.modules.keep(shared(modules));
      }
      this.#closing.signal.throwIfAborted();
      await startGeneration(generation);
      return generation;
    } catch (error) {
      void generation.cut('it did not start');
      throw error;
    } finally {
      this.#filesOfLast = [...generation.files, ...triedFiles];
      this.#coming = null;
    }
  }

  #drain(old: Generation): void {
    this.#draining.push(old);
    void this.#end(old);
    // One that has nothing leaves a turn later, and is in nobody's way.
    const busy = this.#draining.filter((generation) => [...generation.all()].some(({ load }) => load > 0));
    for (const excess of busy.slice(0, -MAX_DRAINING)) {
      this.#options.log.warn({ generation: excess.number }, `generation ${excess.number} is cut: ${MAX_DRAINING} more recent ones still have interactions`);
      void excess.cut('more recent generations are draining');
    }
  }

  async #end(old: Generation): Promise<void> {
    await old.drain();
    this.#draining = this.#draining.filter((generation) => generation !== old);
    this.#ending.add(old);
    await old.close(CLOSE_GRACE_MS);
    this.#ending.delete(old);
    this.#options.log.debug({ generation: old.number }, `generation ${old.number} has ended`);
  }
}
