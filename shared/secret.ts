// A text that must not be seen: whatever prints, logs or serializes it shows that there is one, and no more.

export class Secret {
  readonly #text: string | null;

  /** @param text null: there is none */
  constructor(text: string | null) {
    this.#text = text;
  }

  reveal(): string | null {
    return this.#text;
  }

  toString(): string {
    return this.#text === null ? 'not set' : '***';
  }

  toJSON(): string {
    return this.toString();
  }
}
