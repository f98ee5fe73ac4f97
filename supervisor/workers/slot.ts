// One worker as the supervisor sees it: its state, its heartbeat, and the interactions that it runs.
import type { EndCode } from '../../shared/errors.ts';
import { BEAT_CELL, type AgentFacts, type HeapFigures, type InteractionTask, type McpServerState, type WorkerFrame } from '../../shared/protocol.ts';
import { BootError } from './boot_error.ts';
import { settledIn } from './gone_in_time.ts';
import { createPatience, NEIGHBOUR_PATIENCE_MS } from './patience.ts';
import { Seats, type Seated } from './seats.ts';
import type { SlotListener } from './slot_listener.ts';
import type { SlotOwner, SlotState } from './slot_owner.ts';
import { startThread, type WorkerSettings, type WorkerThread } from './thread.ts';

/** How long frames that a dead thread had sent may still take to arrive. */
const LAST_FRAMES_MS = 200;

export class Slot {
  readonly id: number;
  readonly generation: number;
  readonly #gone = Promise.withResolvers<void>();
  /** Resolves when it was given up and its thread and its processes are gone. */
  readonly gone = this.#gone.promise;
  readonly #owner: SlotOwner<Slot>;
  readonly #thread: WorkerThread;
  readonly #seated = new Map<string, Seated>();
  readonly #seats: Seats;
  readonly #boot = Promise.withResolvers<AgentFacts>();
  /** Resolves with what is known of the agent once it is loaded. @throws BootError */
  readonly booted = this.#boot.promise;
  #idle: (() => void) | undefined;
  /** How long its interactions may go on once it drains. */
  readonly patience = createPatience(() => void this.lose('WORKER_CRASHED', 'its last interactions took too long to end'));
  #state: SlotState = 'booting';
  /** On the clock of `performance.now()`. */
  readonly bornAt = performance.now();
  served = 0;
  heapMb = 0;
  /** What no collection frees of its heap; null until it is ready. */
  lastingHeap: HeapFigures | null = null;
  heapAtBoot: HeapFigures | null = null;
  eventLoopLagMs = 0;
  isClosing = false;
  mcps: readonly McpServerState[] = [];
  /** Those that its agent's modules have loaded, where it is to tell. */
  files: readonly string[] = [];

  constructor(id: number, generation: number, settings: WorkerSettings, owner: SlotOwner<Slot>) {
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

  /** Interactions that it has or is about to get. */
  get load(): number {
    return this.#seated.size + this.#seats.held;
  }

  get hasSeat(): boolean {
    return this.#state === 'ready' && this.#seats.anyFree;
  }

  get heartbeat(): number {
    return Atomics.load(this.#thread.shared, BEAT_CELL);
  }

  /** Keeps a seat for an interaction that is being prepared. Only where `hasSeat`, or of a worker that boots for it. @returns gives it back */
  hold(): () => void {
    this.#seats.held += 1;
    return () => {
      this.#seats.held -= 1;
      this.#checkIdle();
    };
  }

  /** Gives the worker an interaction. Only where `hasSeat`, or to whoever holds a seat. */
  run(task: Omit<InteractionTask, 'seat'>, listener: SlotListener): void {
    const seat = this.#seats.take();
    this.#seated.set(task.id, { seat, listener, started: false });
    this.#thread.post({ type: 'run', task: { ...task, seat } });
  }

  cancel(id: string, graceMs: number): void {
    if (this.#seated.has(id)) this.#thread.post({ type: 'cancel', id, graceMs });
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
    for (const { listener } of this.#seats.takeBack(this.#seated)) listener.lost('WORKER_STUCK', false);
  }

  /** It beats again. */
  recover(): void {
    if (this.#state === 'suspect') this.#setState('ready', 'the heartbeat is back');
  }

  /** Nothing new, until it is replaced. @param patienceMs how long its other interactions may go on then */
  taint(reason: string, patienceMs = Number.POSITIVE_INFINITY): void {
    this.patience.limit(patienceMs);
    if (this.#state === 'ready' || this.#state === 'suspect') this.#setState('tainted', reason);
  }

  /** Tainted, it serves all the same. */
  serveOn(reason: string): void {
    if (this.#state === 'tainted') this.#setState('ready', reason);
  }

  /** Takes nothing new; resolves when nothing runs any more, and no seat is held. */
  async drain(reason: string): Promise<void> {
    if (this.#state === 'lost') return;
    this.#setState('draining', reason);
    this.patience.begin();
    if (this.load > 0) await new Promise<void>((resolve) => void (this.#idle = resolve));
  }

  /** Ends the thread: lets the agent close what it holds for up to `graceMs`, unless its event loop stands still, then terminates. */
  async close(graceMs: number): Promise<void> {
    this.isClosing = true;
    if (this.#state !== 'lost' && this.#state !== 'suspect') {
      this.#thread.post({ type: 'close' });
      await settledIn(this.#thread.ended, graceMs);
    }
    await this.lose('SHUTTING_DOWN', 'closed');
  }

  /** Gives the thread up: what runs in it ends with `code`. Resolves when the thread and its processes are gone, which a blocking call can delay. */
  async lose(code: EndCode, reason: string): Promise<void> {
    if (this.#state !== 'lost') {
      this.#setState('lost', reason);
      this.patience.end();
      this.#boot.reject(new BootError({ message: reason, file: null, line: null }));
      const seated = [...this.#seated.values()];
      this.#seated.clear();
      this.#idle?.();
      // A thread that never came back to its event loop could not tell that it had begun, but its claims do.
      for (const { listener, started, seat } of seated) listener.lost(code, started || this.#seats.hasBegun(seat));
    }
    await this.#thread.destroy();
    this.#gone.resolve();
  }

  #threadEnded(reason: string): void {
    if (this.#state === 'lost' || this.isClosing) return;
    // Frames that the thread had sent before it ended may arrive after the news of its end.
    setTimeout(() => void this.lose('WORKER_CRASHED', reason), LAST_FRAMES_MS);
  }

  #take(frame: WorkerFrame): void {
    switch (frame.type) {
      case 'events':
        return this.#seated.get(frame.id)?.listener.events(frame.events);
      case 'active':
        return this.#seated.get(frame.id)?.listener.active();
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
      case 'deaf':
        this.patience.limitFor(frame.id, NEIGHBOUR_PATIENCE_MS);
        this.taint(`interaction ${frame.id} goes on though it was cancelled`);
        return;
      case 'heard':
        return this.patience.settle(frame.id);
      case 'gauges':
        this.heapMb = frame.heapMb;
        this.lastingHeap = frame.lastingHeap;
        this.eventLoopLagMs = frame.eventLoopLagMs;
        return;
      case 'mcps':
        this.mcps = frame.servers;
        return;
      case 'files':
        this.files = [...this.files, ...frame.files];
        return;
      case 'modules':
        return this.#owner.modulesRead(frame.modules);
      case 'ready':
        // One that drains already may have been started for an interaction, which still gets its seat.
        if (this.#state === 'booting') this.#setState('ready', 'the agent is loaded');
        this.heapAtBoot = frame.lastingHeap;
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
    if (this.load === 0) this.#idle?.();
  }
}
