// The workers that run one version of the agent's files: started together, each replaced when it breaks.
import type { AgentFacts } from '../../shared/protocol.ts';
import type { Logger } from '../log.ts';
import { BootError } from './boot_error.ts';
import { Slot, type SlotOwner } from './slot.ts';
import type { WorkerSettings } from './thread.ts';

const FIRST_BACKOFF_MS = 100;
const LAST_BACKOFF_MS = 30_000;
/** A worker that lived so long was sound: its replacement starts without delay. */
const SOUND_AFTER_MS = 60_000;
/** How long a worker may take to close what its agent holds. */
export const CLOSE_GRACE_MS = 1000;

export interface GenerationOptions {
  readonly number: number;
  readonly workers: number;
  readonly settings: WorkerSettings;
  readonly bootTimeoutMs: number;
  readonly log: Logger;
  /** A slot can take interactions, or cannot any longer. */
  onCapacity(): void;
  agentLog: SlotOwner['agentLog'];
}

export class Generation {
  readonly number: number;
  readonly #options: GenerationOptions;
  /** Serving and booting slots by place; those that drain are kept in `#leaving`. */
  readonly #slots: Slot[] = [];
  readonly #leaving = new Set<Slot>();
  readonly #backoffMs: number[] = [];
  readonly #bornAt = new WeakMap<Slot, number>();
  readonly #replacing = new Set<number>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #nextId = 1;
  #closed = false;
  #facts: AgentFacts | undefined;

  constructor(options: GenerationOptions) {
    this.number = options.number;
    this.#options = options;
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

  /** Starts all workers; resolves when each has loaded the agent. @throws BootError, and then no worker is left */
  async start(): Promise<AgentFacts> {
    for (let place = 0; place < this.#options.workers; place++) {
      this.#slots.push(this.#createSlot());
      this.#backoffMs.push(0);
    }
    try {
      const facts = await Promise.all(this.#slots.map((slot) => this.#bootedInTime(slot)));
      this.#facts = facts[0] as AgentFacts;
      this.#slots.forEach((_slot, place) => this.#replaceBroken(place));
      return this.#facts;
    } catch (error) {
      await this.close(0);
      throw error;
    }
  }

  /** Resolves when no interaction runs in it any more. It takes nothing new from now on. */
  async drain(): Promise<void> {
    this.#stopReplacing();
    await Promise.all([...this.all()].map((slot) => slot.drain('the generation is left')));
  }

  /** Ends every worker, giving each `graceMs` to close what its agent holds. */
  async close(graceMs: number): Promise<void> {
    this.#stopReplacing();
    await Promise.all([...this.all()].map((slot) => slot.close(graceMs)));
  }

  #stopReplacing(): void {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #createSlot(): Slot {
    const slot = new Slot(this.#nextId++, this.number, this.#options.settings, {
      stateChanged: (changed, reason) => this.#slotChanged(changed, reason),
      seatFreed: () => this.#options.onCapacity(),
      agentLog: this.#options.agentLog,
    });
    this.#bornAt.set(slot, performance.now());
    return slot;
  }

  async #bootedInTime(slot: Slot): Promise<AgentFacts> {
    const limitMs = this.#options.bootTimeoutMs;
    const late = () => `the agent did not load within ${limitMs / 1000} s (BOOT_TIMEOUT_SECONDS)${awaitedBy(slot)}`;
    const timer = setTimeout(() => void slot.lose('WORKER_CRASHED', late()), limitMs);
    try {
      return await slot.booted;
    } finally {
      clearTimeout(timer);
    }
  }

  #slotChanged(slot: Slot, reason: string): void {
    // While the first workers boot, whoever waits for them tells the reason.
    const expected = slot.state === 'ready' || slot.state === 'draining' || this.#closed || this.#facts === undefined;
    const level = expected ? 'debug' : 'warn';
    this.#options.log[level]({ worker: slot.id, generation: this.number, state: slot.state }, `worker ${slot.id} is ${slot.state}: ${reason}`);
    if (slot.state === 'lost') this.#leaving.delete(slot);
    if (slot.state === 'ready' && this.#facts !== undefined) this.#options.onCapacity();
    const place = this.#slots.indexOf(slot);
    if (place === -1 || this.#closed || this.#facts === undefined) return;
    if (slot.state === 'tainted' || slot.state === 'lost') this.#replaceSoon(place);
  }

  /** A worker may have broken before it had a place, when nobody would have replaced it. */
  #replaceBroken(place: number): void {
    const state = this.#slots[place]?.state;
    if (state === 'tainted' || state === 'lost') this.#replaceSoon(place);
  }

  /** A worker that broke soon after its start is replaced later and later; the others serve meanwhile. */
  #replaceSoon(place: number): void {
    if (this.#replacing.has(place)) return;
    this.#replacing.add(place);
    const old = this.#slots[place] as Slot;
    const sound = performance.now() - (this.#bornAt.get(old) ?? 0) > SOUND_AFTER_MS;
    const delayMs = sound ? 0 : (this.#backoffMs[place] ?? 0);
    this.#backoffMs[place] = sound ? FIRST_BACKOFF_MS : Math.min(LAST_BACKOFF_MS, Math.max(FIRST_BACKOFF_MS, delayMs * 2));
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      void this.#replace(place);
    }, delayMs);
    this.#timers.add(timer);
  }

  async #replace(place: number): Promise<void> {
    const fresh = this.#createSlot();
    // Until it is ready it is nobody's place: the old one keeps it, and a failed boot changes nothing.
    this.#leaving.add(fresh);
    try {
      await this.#bootedInTime(fresh);
    } catch (error) {
      this.#options.log.error({ worker: fresh.id }, `a replacement did not start: ${error instanceof BootError ? error.message : String(error)}`);
      this.#replacing.delete(place);
      if (!this.#closed) this.#replaceSoon(place);
      return;
    }
    this.#replacing.delete(place);
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
    const drained = slot.drain('replaced');
    if (Number.isFinite(slot.patienceMs)) {
      const timer = setTimeout(() => void slot.lose('WORKER_CRASHED', 'its last interactions took too long to end'), slot.patienceMs);
      this.#timers.add(timer);
      await drained;
      clearTimeout(timer);
      this.#timers.delete(timer);
    }
    await drained;
    await slot.close(CLOSE_GRACE_MS);
    this.#leaving.delete(slot);
  }
}

/** The MCP servers that its agent still waits for, as the end of a sentence; '' where there is none. */
function awaitedBy({ mcps }: Slot): string {
  const names = mcps.flatMap(({ name, state }) => (state === 'connecting' ? [name] : []));
  if (names.length === 0) return '';
  return `; it still waited for the MCP server${names.length === 1 ? '' : 's'} ${names.join(', ')}`;
}
