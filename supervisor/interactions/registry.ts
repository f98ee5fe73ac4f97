// The interactions that are known by their id: those that live, and the ended ones, for a while and within a bound of memory.
import type { Interaction } from './interaction.ts';

/** How long an ended interaction is known. */
const KEPT_MS = 10 * 60 * 1000;

/** Forgotten places at the front of the queue that are cut off together. */
const CUT_AFTER = 1024;

export class Registry {
  readonly #known = new Map<string, Interaction>();
  /** In the order in which they ended; those before `#first` are forgotten. Not the Map: deleted entries at its front slow its iteration down. */
  #ended: (Interaction | undefined)[] = [];
  #first = 0;
  readonly #memoryLimit: number;
  #memory = 0;

  /** @param memoryLimit bytes for ended interactions */
  constructor(memoryLimit: number) {
    this.#memoryLimit = memoryLimit;
  }

  find(id: string): Interaction | undefined {
    return this.#known.get(id);
  }

  add(interaction: Interaction): void {
    this.#known.set(interaction.id, interaction);
  }

  /** It has ended: from now on it is kept as long as there is room and time. */
  retire(interaction: Interaction): void {
    this.#ended.push(interaction);
    this.#memory += interaction.bytes;
    while (this.#memory > this.#memoryLimit) this.#forgetOldest();
  }

  /** Forgets what ended too long ago. */
  sweep(now: number): void {
    while (this.#first < this.#ended.length && now - (this.#ended[this.#first]?.endedAt ?? now) >= KEPT_MS) this.#forgetOldest();
  }

  #forgetOldest(): void {
    const oldest = this.#ended[this.#first] as Interaction;
    this.#known.delete(oldest.id);
    this.#ended[this.#first] = undefined;
    this.#memory -= oldest.bytes;
    this.#first += 1;
    if (this.#first < CUT_AFTER || this.#first * 2 < this.#ended.length) return;
    this.#ended = this.#ended.slice(this.#first);
    this.#first = 0;
  }
}
