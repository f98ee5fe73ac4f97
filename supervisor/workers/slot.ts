// One worker as the supervisor sees it: its state, its heartbeat, and the interactions that it runs.
import type { EndCode } from '../../shared/errors.ts';
import { BEAT_CELL, type AgentFacts, type InteractionTask, type LogFrameLevel, type McpServerState, type WorkerFrame } from '../../shared/protocol.ts';
import { BootError } from './boot_error.ts';
import { killAtExit } from './kill_at_exit.ts';
import { endOrphans } from './orphans.ts';
import { Seats } from './seats.ts';
import type { SlotListener } from './slot_listener.ts';
import { startThread, type WorkerSettings, type WorkerThread } from './thread.ts';

/** How long frames that a dead thread had sent may still take to arrive. */
const LAST_FRAMES_MS = 200;

/**
 * booting → ready ⇄ suspect (no heartbeat for a second), ready → tainted (to be replaced), any → draining (takes nothing new), any → lost (its thread is
 * gone or given up).
 */
export type SlotState = 'booting' | 'ready' | 'suspect' | 'tainted' | 'draining' | 'lost';

export interface SlotOwner {
  stateChanged(slot: Slot, reason: string): void;
  /** A seat became free. */
  seatFreed(slot: Slot): void;
  agentLog(slot: Slot, interactionId: string | null, level: LogFrameLevel, text: string): void;
}

interface Seated {
  readonly seat: number;
  readonly listener: SlotListener;
  started: boolean;
}

export class Slot {
  readonly id: number;
  readonly generation: number;
  readonly #owner: SlotOwner;
  readonly #thread: WorkerThread;
  readonly #seated = new Map<string, Seated>();
  readonly #seats: Seats;
  readonly #boot = Promise.withResolvers<AgentFacts>();
  #idle: (() => void) | undefined;
  #ended: (() => void) | undefined;
  #closing = false;
  #state: SlotState = 'booting';
  served = 0;
  heapMb = 0;
  eventLoopLagMs = 0;
  patienceMs = Number.POSITIVE_INFINITY;
  mcps: readonly McpServerState[] = [];
  /** Processes that the thread holds, to be ended with it. */
  #pids: readonly number[] = [];
  readonly #release = killAtExit(() => this.#pids);

  constructor(id: number, generation: number, settings: WorkerSettings, owner: SlotOwner) {
    this.id = id;
    this.generation = generation;
    this.#owner = owner;
    this.#boot.promise.catch(() => undefined);
    this.#thread = startThread(settings, (frame) => this.#take(frame));
    this.#seats = new Seats(this.#thread.shared, settings.concurrency);
    void this.#thread.ended.then((reason) => this.#threadEnded(reason));
  }

  get state(): SlotState {
    return this.#state;
  }

  get active(): number {
    return this.#seated.size;
  }

  get hasSeat(): boolean {
    return this.#state === 'ready' && this.#seats.anyFree;
  }

  get heartbeat(): number {
    return Atomics.load(this.#thread.shared, BEAT_CELL);
  }

  /** Resolves with what is known of the agent once it is loaded. @throws BootError */
  get booted(): Promise<AgentFacts> {
    return this.#boot.promise;
  }

  /** Gives the worker an interaction. Only where `hasSeat`. */
  run(task: Omit<InteractionTask, 'seat'>, listener: SlotListener): void {
    const seat = this.#seats.take();
    this.#seated.set(task.id, { seat, listener, started: false });
    this.#thread.post({ type: 'run', task: { ...task, seat } });
  }

  cancel(id: string): void {
    if (this.#seated.has(id)) this.#thread.post({ type: 'cancel', id });
  }

  credit(id: string, units: number): void {
    if (this.#seated.has(id)) this.#thread.post({ type: 'credit', id, units });
  }

  /** Forgets an interaction whose agent does not end: its seat stays taken until the thread is gone. */
  abandon(id: string): void {
    this.#seated.delete(id);
    this.#checkIdle();
  }

  /** No heartbeat for a while: nothing new, and what has not begun is taken back, so that another worker can run it. */
  suspect(): void {
    if (this.#state !== 'ready') return;
    this.#setState('suspect', 'no heartbeat for a second');
    for (const [id, seated] of this.#seated) {
      if (seated.started || !this.#seats.withdraw(seated.seat)) continue;
      this.#seated.delete(id);
      // Its `run` frame is still unread and must find this claim, so the seat is free only once the worker has `skipped` it.
      seated.listener.lost('WORKER_STUCK', false);
    }
  }

  /** It beats again. */
  recover(): void {
    if (this.#state === 'suspect') this.#setState('ready', 'the heartbeat is back');
  }

  /** Nothing new, until it is replaced. @param patienceMs how long its other interactions may go on then */
  taint(reason: string, patienceMs = Number.POSITIVE_INFINITY): void {
    if (this.#state !== 'ready' && this.#state !== 'suspect') return;
    this.patienceMs = patienceMs;
    this.#setState('tainted', reason);
  }

  /** Takes nothing new; resolves when nothing runs any more. */
  async drain(reason: string): Promise<void> {
    if (this.#state === 'lost') return;
    this.#setState('draining', reason);
    if (this.#seated.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
  }

  /** Ends the thread: lets the agent close what it holds for up to `graceMs`, then terminates. */
  async close(graceMs: number): Promise<void> {
    if (this.#state !== 'lost') {
      this.#closing = true;
      this.#thread.post({ type: 'close' });
      const timeout = Promise.withResolvers<void>();
      const timer = setTimeout(timeout.resolve, graceMs);
      this.#ended = timeout.resolve;
      await timeout.promise;
      clearTimeout(timer);
    }
    await this.lose('SHUTTING_DOWN', 'closed');
  }

  /** Gives the thread up: what runs in it ends with `code`. Resolves when the thread and its processes are gone, which a blocking call can delay. */
  async lose(code: EndCode, reason: string): Promise<void> {
    if (this.#state !== 'lost') {
      this.#setState('lost', reason);
      this.#boot.reject(new BootError({ message: reason, file: null, line: null }));
      this.#thread.hangUp();
      const seated = [...this.#seated.values()];
      this.#seated.clear();
      // A thread that never came back to its event loop could not tell that it had begun, but its claims do.
      for (const { listener, started, seat } of seated) listener.lost(code, started || this.#seats.hasBegun(seat));
      this.#checkIdle();
    }
    await this.#thread.destroy();
    await endOrphans(this.#pids);
    this.#release();
  }

  #threadEnded(reason: string): void {
    this.#ended?.();
    if (this.#state === 'lost' || this.#closing) return;
    // Frames that the thread had sent before it ended may arrive after the news of its end.
    setTimeout(() => void this.lose('WORKER_CRASHED', reason), LAST_FRAMES_MS);
  }

  #take(frame: WorkerFrame): void {
    switch (frame.type) {
      case 'events':
        this.#seated.get(frame.id)?.listener.events(frame.events);
        return;
      case 'active':
        this.#seated.get(frame.id)?.listener.active();
        return;
      case 'started': {
        const seated = this.#seated.get(frame.id);
        if (seated === undefined) return;
        seated.started = true;
        seated.listener.started(frame.model);
        return;
      }
      case 'ended': {
        const seated = this.#seated.get(frame.id);
        if (seated === undefined) return;
        this.#seated.delete(frame.id);
        this.#seats.giveBack(seated.seat);
        this.served += 1;
        seated.listener.ended(frame.end);
        this.#owner.seatFreed(this);
        this.#checkIdle();
        return;
      }
      case 'skipped':
        this.#seats.giveBack(frame.seat);
        this.#owner.seatFreed(this);
        return;
      case 'log':
        this.#owner.agentLog(this, frame.id, frame.level, frame.text);
        this.#thread.post({ type: 'log_credit', units: frame.text.length });
        return;
      case 'stray':
        if (this.#state === 'booting') void this.lose('WORKER_CRASHED', 'the agent threw outside of any call while it loaded');
        else this.taint(`an error out of no await${frame.id === null ? '' : ` of interaction ${frame.id}`}`);
        return;
      case 'gauges':
        this.heapMb = frame.heapMb;
        this.eventLoopLagMs = frame.eventLoopLagMs;
        return;
      case 'mcps':
        this.mcps = frame.servers;
        this.#pids = frame.pids;
        return;
      case 'ready':
        if (this.#state !== 'booting') return;
        this.#setState('ready', 'the agent is loaded');
        this.#boot.resolve(frame.facts);
        return;
      case 'load_failed':
        this.#boot.reject(new BootError(frame.reason));
        void this.lose('WORKER_CRASHED', frame.reason.message);
        return;
      default:
        frame satisfies never;
    }
  }

  #setState(state: SlotState, reason: string): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#owner.stateChanged(this, reason);
  }

  #checkIdle(): void {
    if (this.#seated.size === 0) this.#idle?.();
  }
}
