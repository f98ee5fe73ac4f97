// Reloads: one at a time, one more remembered. A new version takes over once all of it is ready; what fails changes nothing.
import { resolve, sep } from 'node:path';
import { AppError } from '../shared/errors.ts';
import type { LiveConfig } from './live_config.ts';
import type { Logger } from './log.ts';
import type { Release } from './release.ts';
import type { Generations } from './workers/generations.ts';

/** What is read anew: the agent's files, or `.env` and the configuration as well. */
export type ReloadScope = 'agent' | 'all';

export interface Reloaded {
  readonly generation: number;
  /** Interactions that older generations still have. */
  readonly remaining: number;
  readonly ms: number;
  /** Variables that have changed and that only a new start takes over. */
  readonly needsRestart: readonly string[];
}

export interface LastReload {
  readonly ok: boolean;
  /** ISO 8601. */
  readonly at: string;
  /** Why it failed, without a path of the machine. */
  readonly error: string | null;
}

export interface ReloadsOptions {
  readonly started: Release;
  /** Reads everything anew. @throws errors whose message is for the person who runs the server */
  readonly reread: () => Promise<Release>;
  readonly generations: Generations;
  readonly config: LiveConfig;
  readonly log: Logger;
  /** One has ended, well or not. @param begunAt in ms since 1970: it has read everything after that */
  onEnd(ok: boolean, begunAt: number): void;
}

interface Remembered {
  scope: ReloadScope;
  readonly reason: string;
  readonly done: Promise<Reloaded>;
}

export class Reloads {
  readonly #options: ReloadsOptions;
  /** The environment and agent's file that serve now. */
  #release: Release;
  #running: Promise<Reloaded> | null = null;
  #next: Remembered | null = null;
  #stopped = false;
  last: LastReload | null = null;

  constructor(options: ReloadsOptions) {
    this.#options = options;
    this.#release = options.started;
  }

  get isRunning(): boolean {
    return this.#running !== null;
  }

  /**
   * Reloads, after the reload that is under way; whoever asks for another meanwhile shares that one.
   * @param reason for the log, such as `SIGHUP`
   * @throws AppError RELOAD_FAILED with the reason, STOPPING
   */
  request(scope: ReloadScope, reason: string): Promise<Reloaded> {
    if (this.#stopped) return Promise.reject(new AppError('STOPPING'));
    if (this.#running === null) return this.#start(scope, reason);
    if (this.#next === null) {
      const begin = (): Promise<Reloaded> => this.#startNext();
      const done = this.#running.then(begin, begin);
      // Nobody may wait for it.
      done.catch(() => undefined);
      this.#next = { scope, reason, done };
    } else if (scope === 'all') {
      this.#next.scope = 'all';
    }
    return this.#next.done;
  }

  /** Gives up the one that is under way, and takes no other. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#options.generations.stopBuilding();
  }

  #startNext(): Promise<Reloaded> {
    const { scope, reason } = this.#next as Remembered;
    this.#next = null;
    return this.#stopped ? Promise.reject(new AppError('STOPPING')) : this.#start(scope, reason);
  }

  #start(scope: ReloadScope, reason: string): Promise<Reloaded> {
    const running = this.#reload(scope, reason).finally(() => {
      this.#running = null;
    });
    this.#running = running;
    running.catch(() => undefined);
    return running;
  }

  async #reload(scope: ReloadScope, reason: string): Promise<Reloaded> {
    const { generations, config, log, reread, onEnd } = this.#options;
    const startedAt = performance.now();
    const begunAt = Date.now();
    log.info({ reason }, 'a reload begins');
    try {
      const release = scope === 'all' ? await reread() : this.#release;
      const { number } = await generations.replace({ ...release, config: config.with(release.config) }, () => {
        this.#release = release;
        config.take(release.config);
        log.level = config.current.logLevel;
      });
      const reloaded = {
        generation: number,
        remaining: generations.remaining,
        ms: Math.round(performance.now() - startedAt),
        needsRestart: config.needsRestart(release),
      };
      this.last = { ok: true, at: new Date().toISOString(), error: null };
      const { needsRestart, ...facts } = reloaded;
      log.info({ reason, ...facts, needs_restart: needsRestart }, `generation ${number} serves`);
      onEnd(true, begunAt);
      return reloaded;
    } catch (error) {
      if (this.#stopped) throw new AppError('STOPPING', {}, { cause: error });
      const message = withoutRoot(error instanceof Error ? error.message : String(error), config.current.configRoot);
      this.last = { ok: false, at: new Date().toISOString(), error: message };
      log.error({ reason }, `the reload failed, generation ${generations.serving.number} goes on: ${message}`);
      onEnd(false, begunAt);
      throw new AppError('RELOAD_FAILED', { message }, { cause: error });
    }
  }
}

/** Files by their path from the config root: where that is, is nobody's business who asks over HTTP. */
function withoutRoot(message: string, configRoot: string): string {
  const root = resolve(configRoot);
  if (root === sep) return message;
  return message.replaceAll(`file://${root}${sep}`, '').replaceAll(`${root}${sep}`, '').replaceAll(root, 'the config root');
}
