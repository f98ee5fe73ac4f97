// The seats of a worker, one for each interaction that it runs at once, and the claim on each; see SharedState.
import { CLAIM_FREE, CLAIM_STARTED, CLAIM_WITHDRAWN, FIRST_CLAIM_CELL } from '../../shared/protocol.ts';

export class Seats {
  readonly #shared: Int32Array;
  readonly #free: number[] = [];

  constructor(shared: Int32Array, count: number) {
    this.#shared = shared;
    for (let seat = count - 1; seat >= 0; seat--) this.#free.push(seat);
  }

  get anyFree(): boolean {
    return this.#free.length > 0;
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

  /** Takes the interaction back, unless the worker has begun it. The seat stays taken until the worker has seen that. */
  withdraw(seat: number): boolean {
    return Atomics.compareExchange(this.#shared, FIRST_CLAIM_CELL + seat, CLAIM_FREE, CLAIM_WITHDRAWN) === CLAIM_FREE;
  }

  hasBegun(seat: number): boolean {
    return Atomics.load(this.#shared, FIRST_CLAIM_CELL + seat) === CLAIM_STARTED;
  }
}
