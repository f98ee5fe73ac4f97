// Counts the credentials that failed, by address, so that whoever guesses is told to wait. It locks nobody out: a valid one is always taken.
import { addressGroup } from './client_address.ts';

/** So many may fail in one window; more are told to wait. */
const MAX_FAILURES = 100;
const WINDOW_MS = 60_000;
/** Addresses that are remembered; the one whose last failure is longest ago is forgotten first. */
const MAX_ADDRESSES = 10_000;

interface Failures {
  /** On the clock of `performance.now()`. */
  readonly since: number;
  readonly count: number;
}

export class FailedCredentials {
  readonly #byAddress = new Map<string, Failures>();

  get size(): number {
    return this.#byAddress.size;
  }

  /** Counts one that failed. @returns how many seconds its sender is to wait; 0 while it is within its budget */
  count(address: string, now: number): number {
    const group = addressGroup(address);
    const known = this.#byAddress.get(group);
    const goesOn = known !== undefined && now - known.since < WINDOW_MS;
    const failures = goesOn ? { since: known.since, count: known.count + 1 } : { since: now, count: 1 };
    // Set anew, a Map's entry is its last: the first is the one to forget.
    this.#byAddress.delete(group);
    this.#byAddress.set(group, failures);
    if (this.#byAddress.size > MAX_ADDRESSES) this.#byAddress.delete(this.#byAddress.keys().next().value as string);
    return failures.count <= MAX_FAILURES ? 0 : Math.ceil((failures.since + WINDOW_MS - now) / 1000);
  }
}
