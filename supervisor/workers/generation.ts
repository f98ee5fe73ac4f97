// The workers that run one version of the agent's files: started together, each replaced when it breaks.
import type { AgentFacts } from '../../shared/protocol.ts';
import type { Logger } from '../log.ts';
import { Backoff } from './backoff.ts';
import { BootError } from './boot_error.ts';
import { bootedInTime } from './booted_in_time.ts';
import { goneInTime } from './gone_in_time.ts';
import { KeptModules } from './kept_modules.ts';
import { NEIGHBOUR_PATIENCE_MS } from './patience.ts';
import { Slot } from './slot.ts';
import type { SlotOwner } from './slot_owner.ts';
import type { GenerationSettings, WorkerSettings } from './thread.ts';

/** So many workers for each place may finish what they have without end, replaced: each is a thread and its memory. */
const RETIRING_PER_PLACE = 4;
const RETIRING_CHECK_MS = 100;
/** How long a worker may take to close what its agent holds. */
export const CLOSE_GRACE_MS = 1000;

export interface GenerationOptions {
  readonly number: number;
  readonly workers: number;
  readonly settings: GenerationSettings;
  readonly bootTimeoutMs: number;
  readonly log: Logger;
  /** A slot can take interactions, or cannot any longer. */
  onCapacity(): void;
  agentLog: SlotOwner<Slot>['agentLog'];
}

export class Generation {
  readonly number: number;
  /** What its workers have imported of the agent's modules, and what those are to import that start later. */
  readonly modules: KeptModules;
  readonly #options: GenerationOptions;
  /** Serving and booting slots by place; those that drain are kept in `#leaving`. */
  readonly #slots: Slot[] = [];
  readonly #leaving = new Set<Slot>();
  /** Lost ones whose thread is not gone: it is inside a blocking call. */
  readonly #blocked = new Set<Slot>();
  readonly #backoff = new Backoff();
  readonly #replacing = new Set<number>();
  /** Places whose last replacement did not start. */
  readonly #irreplaceable = new Set<number>();
  readonly #timers = new Set<NodeJS.Timeout>();
  /** Replaced ones that finish what they have, oldest first. */
  readonly #retiring = new Set<Slot>();
  #nextId = 1;
  #closed = false;
  #facts: AgentFacts | undefined;

  constructor(options: GenerationOptions) {
    this.number = options.number;
    this.#options = options;
    this.modules = new KeptModules(() => {
      options.log.warn({ generation: this.number }, "the agent's modules are more than are kept: a worker that is replaced reads what is beyond from disk");
    });
  }

  /** The model's key that an interaction has where its request sets none; null where there is none. */
  get modelKey(): string | null {
    return this.#options.settings.baseEnv['OPENAI_API_KEY'] ?? null;
  }

  get facts(): AgentFacts {
    if (this.#facts === undefined) throw new Error('the generation is not ready');
    return this.#facts;
  }

  /** Slots that may take interactions. */
  get serving(): readonly Slot[] {
    return this.#slots;
  }

  /** Every slot whose thread may live. */
  *all(): Generator<Slot> {
    yield* this.#slots;
    yield* this.#leaving;
  }

  /** The agent's files as its workers know them, so far; absolute paths. */
  get files(): readonly string[] {
    const { agentFile, usedDefinitions } = this.#options.settings;
    return [...new Set([agentFile, ...Object.keys(usedDefinitions), ...[...this.all()].flatMap(({ files }) => files ?? [])])];
  }

  /** Starts all workers; resolves when each has loaded the agent. @throws BootError, and then no worker is left but what a blocking call holds */
  async start(): Promise<AgentFacts> {
    try {
      for (let place = 0; place < this.#options.workers; place++) this.#slots.push(this.#createSlot());
      const facts = await Promise.all(this.#slots.map((slot) => this.bootedInTime(slot)));
      this.#facts = facts[0] as AgentFacts;
      this.#slots.forEach((_slot, place) => this.#replaceBroken(place));
      return this.#facts;
    } catch (error) {
      await goneInTime(this.close(0));
      throw error;
    }
  }

  /** Resolves when no interaction runs in it any more. It takes nothing new from now on. */
  async drain(): Promise<void> {
    this.#stopReplacing();
    await Promise.all([...this.all()].map((slot) => slot.drain('the generation is left')));
  }

  /** Ends every worker now, and every interaction in it with `shutting_down`. */
  async cut(reason: string): Promise<void> {
    this.#stopReplacing();
    await Promise.all([...this.all()].map((slot) => slot.lose('SHUTTING_DOWN', reason)));
  }

  /** Ends every worker, giving each `graceMs` to close what its agent holds. Resolves when their threads are gone, which a blocking call can delay. */
  async close(graceMs: number): Promise<void> {
    this.#stopReplacing();
    await Promise.all([...this.all(), ...this.#blocked].map((slot) => slot.close(graceMs)));
  }

  /** Starts a worker that has no place, with settings made from those of the others; whoever asked for it closes it. */
  startBeside(settingsFrom: (settings: WorkerSettings) => WorkerSettings): Slot {
    const slot = this.#createSlot(settingsFrom(this.#settings));
    this.#leaving.add(slot);
    return slot;
  }

  /** Replaces a sound worker, which serves until the other is ready and then finishes what it has. @returns whether it begins to */
  recycle(slot: Slot): boolean {
    const place = this.#slots.indexOf(slot);
    if (place === -1 || this.#closed || this.#replacing.has(place)) return false;
    this.#replacing.add(place);
    void this.#replace(place);
    return true;
  }

  #stopReplacing(): void {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
  }

  get #settings(): WorkerSettings {
    return { ...this.#options.settings, modules: this.modules.all };
  }

  #createSlot(settings = this.#settings): Slot {
    return new Slot(this.#nextId++, this.number, settings, {
      stateChanged: (changed, reason) => this.#slotChanged(changed, reason),
      seatFreed: () => this.#options.onCapacity(),
      agentLog: this.#options.agentLog,
      modulesRead: (modules) => this.modules.keep(modules),
    });
  }

  /** Resolves when it has loaded the agent. @throws BootError when it does not within BOOT_TIMEOUT_SECONDS */
  bootedInTime(slot: Slot): Promise<AgentFacts> {
    return bootedInTime(slot, this.#options.bootTimeoutMs);
  }

  #slotChanged(slot: Slot, reason: string): void {
    // While the first workers boot, whoever waits for them tells the reason.
    const expected = slot.state === 'ready' || slot.state === 'draining' || slot.isClosing || this.#closed || this.#facts === undefined;
    this.#options.log[expected ? 'debug' : 'warn']({ worker: slot.id, generation: this.number, state: slot.state }, `worker ${slot.id} is ${slot.state}: ${reason}`);
    if (slot.state === 'lost') this.#giveUp(slot);
    if (slot.state === 'ready' && this.#facts !== undefined) this.#options.onCapacity();
    const place = this.#slots.indexOf(slot);
    if (place === -1 || this.#closed || this.#facts === undefined) return;
    if (slot.state === 'tainted' && this.#irreplaceable.has(place) && !slot.patience.isLimited) slot.serveOn('no replacement starts');
    else if (slot.state === 'tainted' || slot.state === 'lost') this.#replaceSoon(place);
  }

  #giveUp(slot: Slot): void {
    this.#leaving.delete(slot);
    this.#blocked.add(slot);
    void slot.gone.then(() => this.#blocked.delete(slot));
  }

  /** A worker may have broken before it had a place, when nobody would have replaced it. */
  #replaceBroken(place: number): void {
    const state = this.#slots[place]?.state;
    if (state === 'tainted' || state === 'lost') this.#replaceSoon(place);
  }

  /** A worker that broke soon after its start is replaced later and later; the others serve meanwhile. */
  #replaceSoon(place: number, hasFailed = false): void {
    if (this.#replacing.has(place)) return;
    this.#replacing.add(place);
    this.#replaceIn(place, this.#backoff.next(place, (this.#slots[place] as Slot).bornAt, hasFailed));
  }

  #replaceIn(place: number, delayMs: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      const old = this.#slots[place] as Slot;
      const [oldest] = this.#retiring;
      if (old.state === 'lost' || oldest === undefined || this.#retiring.size < RETIRING_PER_PLACE * this.#slots.length) {
        void this.#replace(place);
        return;
      }
      // What taints a worker is no reason to refuse what is new, as long as it works.
      old.serveOn('too many replaced ones still have interactions');
      oldest.patience.limit(NEIGHBOUR_PATIENCE_MS);
      this.#replaceIn(place, RETIRING_CHECK_MS);
    }, delayMs);
    this.#timers.add(timer);
  }

  async #replace(place: number): Promise<void> {
    let fresh: Slot;
    try {
      fresh = this.#createSlot();
      // Until it is ready it is nobody's place: the old one keeps it, and a failed boot changes nothing.
      this.#leaving.add(fresh);
      await this.bootedInTime(fresh);
    } catch (error) {
      this.#replacing.delete(place);
      if (this.#closed) return;
      // The system may have no thread for it, either.
      this.#options.log.error(`a replacement did not start: ${error instanceof BootError ? error.message : String(error)}`);
      this.#irreplaceable.add(place);
      const kept = this.#slots[place];
      // One of whose interactions ignores its cancel goes on holding back what that takes.
      if (kept?.patience.isLimited === false) kept.serveOn('no replacement starts');
      this.#replaceSoon(place, true);
      return;
    }
    this.#replacing.delete(place);
    this.#irreplaceable.delete(place);
    if (this.#closed) return;
    const old = this.#slots[place] as Slot;
    this.#slots[place] = fresh;
    this.#leaving.delete(fresh);
    this.#options.onCapacity();
    this.#replaceBroken(place);
    if (old.state !== 'lost') await this.#retire(old);
  }

  async #retire(slot: Slot): Promise<void> {
    this.#leaving.add(slot);
    this.#retiring.add(slot);
    await slot.drain('replaced');
    await slot.close(CLOSE_GRACE_MS);
    this.#leaving.delete(slot);
    this.#retiring.delete(slot);
  }
}
