// The seats of a worker, one for each interaction that it runs at once, and the claim on each; see SharedState.
import { CLAIM_FREE, CLAIM_STARTED, CLAIM_WITHDRAWN, FIRST_CLAIM_CELL } from '../../shared/protocol.ts';
import type { SlotListener } from './slot_listener.ts';

/** An interaction on its seat. */
export interface Seated {
  readonly seat: number;
  readonly listener: SlotListener;
  /** Its worker has said that it began. */
  started: boolean;
}

export class Seats {
  readonly #shared: Int32Array;
  readonly #free: number[] = [];
  /** Free ones that are promised. */
  held = 0;

  constructor(shared: Int32Array, count: number) {
    this.#shared = shared;
    for (let seat = count - 1; seat >= 0; seat--) this.#free.push(seat);
  }

  get anyFree(): boolean {
    return this.#free.length > this.held;
  }

  /** Only where one is free. */
  take(): number {
    const seat = this.#free.pop();
    if (seat === undefined) throw new Error('no free seat');
    Atomics.store(this.#shared, FIRST_CLAIM_CELL + seat, CLAIM_FREE);
    return seat;
  }

  giveBack(seat: number): void {
    this.#free.push(seat);
  }

  /** Takes the interaction back, unless the worker has begun it. Its `run` frame must still find this claim: the seat is free once the worker has `skipped` it. */
  withdraw(seat: number): boolean {
    return Atomics.compareExchange(this.#shared, FIRST_CLAIM_CELL + seat, CLAIM_FREE, CLAIM_WITHDRAWN) === CLAIM_FREE;
  }

  /** Withdraws those that can be, and takes them out of `seated`. @returns them */
  takeBack(seated: Map<string, Seated>): Seated[] {
    const back = [...seated].filter(([, { started, seat }]) => !started && this.withdraw(seat));
    for (const [id] of back) seated.delete(id);
    return back.map(([, each]) => each);
  }

  hasBegun(seat: number): boolean {
    return Atomics.load(this.#shared, FIRST_CLAIM_CELL + seat) === CLAIM_STARTED;
  }
}
