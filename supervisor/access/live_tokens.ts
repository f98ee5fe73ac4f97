// What is being answered under each token, so that it ends with the token: when that is revoked, or expires in the middle of an answer.
import type { ServerResponse } from 'node:http';
import type { TokenReference } from './caller.ts';

const SWEEP_MS = 50;
/**
 * Interactions end with their token, and their readers are told; what is still answered so long after the token's end is cut off. Another machine knows
 * of that end 0.3 s after it at the latest, and a second is promised for all of it.
 */
const LAST_WORDS_MS = 550;
/** Revoked ids that are remembered, for what was let in before. */
const MAX_REMEMBERED = 10_000;

interface Answering {
  readonly token: TokenReference;
  readonly responses: Set<ServerResponse>;
  /** ms since 1970; null while nobody has seen its end. */
  endedAt: number | null;
}

export class LiveTokens {
  readonly #answering = new Map<string, Answering>();
  readonly #revoked = new Set<string>();
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = setInterval(() => this.#sweep(Date.now()), SWEEP_MS);
  }

  /** Tokens under which something is being answered. */
  get size(): number {
    return this.#answering.size;
  }

  /** A request with this token was let in. */
  follow(token: TokenReference, response: ServerResponse): void {
    // It went away while its token was looked up.
    if (response.destroyed) return;
    const answering = this.#answering.get(token.id) ?? { token, responses: new Set(), endedAt: null };
    this.#answering.set(token.id, answering);
    answering.responses.add(response);
    response.once('close', () => {
      answering.responses.delete(response);
      if (answering.responses.size === 0) this.#answering.delete(token.id);
    });
  }

  /** It is valid no more: what goes on under it is to end. */
  revoke(id: string): void {
    this.#revoked.add(id);
    const answering = this.#answering.get(id);
    if (answering !== undefined) answering.endedAt ??= Date.now();
    if (this.#revoked.size > MAX_REMEMBERED) this.#revoked.delete(this.#revoked.values().next().value as string);
  }

  /** It is there, as new or again: what comes with it from now on does not end with what was. */
  restore(id: string): void {
    this.#revoked.delete(id);
  }

  /** @returns why nothing may go on under the token, in a sentence for its user; null while it may, or where there is none */
  readonly endOf = (token: TokenReference | null): string | null => {
    if (token === null) return null;
    if (this.#revoked.has(token.id)) return 'The token was revoked.';
    return token.expiresAt !== null && Date.now() >= token.expiresAt ? 'The token expired.' : null;
  };

  close(): void {
    clearInterval(this.#timer);
  }

  #sweep(now: number): void {
    for (const answering of this.#answering.values()) {
      // Not for ever: a token may be back, see restore.
      answering.endedAt = this.endOf(answering.token) === null ? null : (answering.endedAt ?? now);
      if (answering.endedAt !== null && now - answering.endedAt >= LAST_WORDS_MS) answering.responses.forEach((response) => response.destroy());
    }
  }
}
