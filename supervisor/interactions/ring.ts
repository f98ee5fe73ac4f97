// The events of one interaction, numbered, the oldest given up when they take too much memory.

/** Kept of one interaction, in UTF-16 units of event JSON. */
const RING_LENGTH = 512 * 1024;

/** Events that came together: `events[i]` has the id `firstId + i`. */
export interface EventBatch {
  readonly firstId: number;
  readonly events: readonly string[];
  readonly length: number;
}

/** Takes the place of a batch whose events are let go. */
const GIVEN_UP: EventBatch = { firstId: 0, events: [], length: 0 };

export class EventRing {
  #batches: EventBatch[] = [];
  #dropped = 0;
  #lastId = 0;
  #length = 0;

  /** Id of the newest event; 0 before the first. */
  get lastId(): number {
    return this.#lastId;
  }

  /** Id of the oldest event that is kept. */
  get firstId(): number {
    return this.#batches[this.#dropped]?.firstId ?? this.#lastId + 1;
  }

  get length(): number {
    return this.#length;
  }

  /**
   * @param keptAfter events with a larger id are kept whatever they take: who sets the pace has not taken them
   * @returns how long the new ones are, in UTF-16 units
   */
  append(events: readonly string[], keptAfter: number): number {
    let length = 0;
    for (let i = 0; i < events.length; i++) length += (events[i] as string).length;
    this.#batches.push({ firstId: this.#lastId + 1, events, length });
    this.#lastId += events.length;
    this.#length += length;
    while (this.#length > RING_LENGTH && this.#dropped < this.#batches.length - 1) {
      const oldest = this.#batches[this.#dropped] as EventBatch;
      if (oldest.firstId + oldest.events.length - 1 > keptAfter) break;
      this.#length -= oldest.length;
      this.#batches[this.#dropped] = GIVEN_UP;
      this.#dropped += 1;
    }
    // The places of given-up batches are cut off now and then only: a shift for each would move the whole array each time.
    if (this.#dropped > 64 && this.#dropped * 2 > this.#batches.length) {
      this.#batches = this.#batches.slice(this.#dropped);
      this.#dropped = 0;
    }
    return length;
  }

  /** All that are kept. */
  *newestFirst(): Generator<EventBatch> {
    for (let i = this.#batches.length - 1; i >= this.#dropped; i--) yield this.#batches[i] as EventBatch;
  }

  /** The batch that holds the event after `id`; undefined where there is none yet, 'lost' when it has been given up. */
  after(id: number): EventBatch | 'lost' | undefined {
    if (id >= this.#lastId) return undefined;
    if (id + 1 < this.firstId) return 'lost';
    // Readers are nearly always at the end, so the search starts there.
    for (let i = this.#batches.length - 1; i >= this.#dropped; i--) {
      const batch = this.#batches[i] as EventBatch;
      if (batch.firstId <= id + 1) return batch;
    }
    return undefined;
  }
}
