// Counts the uses of tokens in memory and writes them together, every few seconds: a request writes nothing.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Logger } from '../log.ts';
import type { TokenStore, TokenUse } from '../store/tokens.ts';

const WRITE_EVERY_MS = 5_000;
/** Written in one go, in about 1 ms: the event loop has other things to do. */
const PORTION = 500;
/** How long a token that has expired is still listed. */
const EXPIRED_KEPT_MS = 24 * 60 * 60 * 1000;
/** Looked after with every so many writes. */
const CLEAN_EVERY = 12;

export class TokenUses {
  readonly #store: TokenStore;
  readonly #log: Logger;
  readonly #timer: NodeJS.Timeout;
  /** At most one entry for each token that there is. */
  #unwritten = new Map<string, TokenUse>();
  #rounds = 0;

  constructor(store: TokenStore, log: Logger) {
    this.#store = store;
    this.#log = log;
    this.#timer = setInterval(() => void this.#round(), WRITE_EVERY_MS);
  }

  /** @param now ms since 1970 */
  count(id: string, now: number): void {
    this.#unwritten.set(id, { count: (this.#unwritten.get(id)?.count ?? 0) + 1, lastUsedAt: now });
  }

  /** Writes what is not written yet, in portions; what cannot be written is kept for the next time, and logged. */
  async write(): Promise<void> {
    for (let left = this.#unwritten.size; left > 0; left -= PORTION) {
      if (!(await this.#writeSome(PORTION))) return;
      if (left > PORTION) await nextTurn();
    }
  }

  close(): Promise<unknown> {
    clearInterval(this.#timer);
    return this.#writeSome(Number.POSITIVE_INFINITY);
  }

  /** @returns whether they are written; by the embedded store before this returns */
  async #writeSome(most: number): Promise<boolean> {
    const batch = new Map<string, TokenUse>();
    for (const [id, use] of this.#unwritten) {
      if (batch.size >= most) break;
      batch.set(id, use);
      this.#unwritten.delete(id);
    }
    if (batch.size === 0) return true;
    try {
      await this.#store.addUses(batch);
      return true;
    } catch (error) {
      this.#log.warn({ err: error }, 'the uses of tokens could not be written');
      for (const [id, { count, lastUsedAt }] of batch) {
        const since = this.#unwritten.get(id);
        this.#unwritten.set(id, { count: count + (since?.count ?? 0), lastUsedAt: since?.lastUsedAt ?? lastUsedAt });
      }
      return false;
    }
  }

  async #round(): Promise<void> {
    await this.write();
    this.#rounds += 1;
    if (this.#rounds % CLEAN_EVERY !== 0) return;
    try {
      await this.#store.deleteExpired(Date.now() - EXPIRED_KEPT_MS);
    } catch (error) {
      this.#log.warn({ err: error }, 'expired tokens could not be deleted');
    }
  }
}
