// All tokens of Redis in memory, so that a check costs nothing; and how recently they were those of Redis.
import { setTimeout as delay } from 'node:timers/promises';
import type { StoredToken } from '../tokens.ts';
import type { RedisLink } from './link.ts';
import { tokenOfText } from './tokens_form.ts';
import { CHANGES } from './tokens_scripts.ts';

/** So long after a question to Redis was sent its answer still counts: no revocation is known later than that. */
const FRESH_MS = 1000;
/** From one question to the next: whoever sends wrong tokens by the thousand costs Redis no more than this. */
const GAP_MS = 5;
/** Tokens read in one go when all are: so few questions that they end before this server's lease does, however slowly each is answered. */
const PORTION = 2000;
/** While all are read, so many changes may come at once that the reading begins again, so often. */
const MAX_LOADS = 3;

/** Version, number of tokens, and ids with their texts where these are all that has changed. */
type Answer = readonly [version: string, size: number, ids?: readonly string[], texts?: readonly (string | null)[]];

/** Told by id, and never of those of the first reading. */
export interface TokenEvents {
  /** It was there and is no more, though it has not expired. */
  onRevoked(id: string): void;
  /** It is there, and was not before. */
  onMade(id: string): void;
}

export class TokenMirror {
  readonly #link: RedisLink;
  readonly #keys: readonly string[];
  readonly #events: TokenEvents;
  /** null: not to be understood. It counts, and lets nobody in. */
  #tokens = new Map<string, StoredToken | null>();
  #version = '0';
  #mustLoad = true;
  #hasLoaded = false;
  /** On the clock of `performance.now()`. */
  #freshUntil = Number.NEGATIVE_INFINITY;
  #begunAt = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | null = null;
  #next: Promise<void> | null = null;

  constructor(link: RedisLink, keys: readonly string[], events: TokenEvents) {
    this.#link = link;
    this.#keys = keys;
    this.#events = events;
  }

  /** Whether it may be relied on. */
  get isFresh(): boolean {
    return performance.now() < this.#freshUntil;
  }

  get(id: string): StoredToken | null {
    return this.#tokens.get(id) ?? null;
  }

  all(): StoredToken[] {
    return [...this.#tokens.values()].filter((token) => token !== null);
  }

  /** What Redis has may be others than before: nothing is relied on before all are read. */
  distrust(): void {
    this.#mustLoad = true;
    this.#freshUntil = Number.NEGATIVE_INFINITY;
  }

  /**
   * Asks Redis what has changed, from now on: whoever comes while it is being asked waits for the next question, which is one for all.
   * @throws RedisUnreachable; nothing is relied on any longer than it would have been
   */
  sync(): Promise<void> {
    const isQuiet = this.#running === null && this.#next === null && performance.now() >= this.#begunAt + GAP_MS;
    if (isQuiet) return this.#begin();
    this.#next ??= this.#nextRound();
    return this.#next;
  }

  #begin(): Promise<void> {
    this.#begunAt = performance.now();
    this.#running = this.#syncOnce().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #nextRound(): Promise<void> {
    await this.#running?.catch(() => undefined);
    await delay(Math.max(0, this.#begunAt + GAP_MS - performance.now()));
    this.#next = null;
    return this.#begin();
  }

  async #syncOnce(): Promise<void> {
    for (let loads = 0; loads <= MAX_LOADS; loads += 1) {
      if (this.#mustLoad) await this.#load();
      const asked = performance.now();
      const [version, size, ids, texts] = await this.#changes();
      // Told meanwhile that it had been away.
      if (this.#mustLoad) continue;
      this.#mustLoad = ids === undefined;
      ids?.forEach((id, i) => this.#take(id, texts?.[i] ?? null));
      this.#version = version;
      // Something was changed past the log, as by hand or from a backup.
      this.#mustLoad ||= this.#tokens.size !== size;
      if (this.#mustLoad) continue;
      this.#freshUntil = asked + FRESH_MS;
      return;
    }
    throw new Error('the tokens in Redis changed too fast to be read');
  }

  /** What changes meanwhile, is asked for afterwards: the version is that of before. */
  async #load(): Promise<void> {
    this.#mustLoad = false;
    try {
      const [version] = await this.#changes();
      const tokens = new Map<string, StoredToken | null>();
      let cursor = '0';
      do {
        const [next, fields] = await this.#link.ask((redis) => redis.hscan(this.#keys[0] ?? '', cursor, 'COUNT', PORTION));
        for (let i = 0; i + 1 < fields.length; i += 2) tokens.set(fields[i] ?? '', tokenOfText(fields[i] ?? '', fields[i + 1] ?? ''));
        cursor = next;
      } while (cursor !== '0');
      const before = this.#tokens;
      this.#tokens = tokens;
      this.#version = version;
      for (const [id, token] of before) if (!tokens.has(id)) this.#gone(id, token);
      if (this.#hasLoaded) for (const id of tokens.keys()) if (!before.has(id)) this.#events.onMade(id);
      this.#hasLoaded = true;
    } catch (error) {
      this.#mustLoad = true;
      throw error;
    }
  }

  #changes(): Promise<Answer> {
    return this.#link.ask((redis) => CHANGES(redis, this.#keys, [this.#version])) as Promise<Answer>;
  }

  #take(id: string, text: string | null): void {
    const before = this.#tokens.get(id);
    if (text !== null) {
      this.#tokens.set(id, tokenOfText(id, text));
      if (before === undefined) this.#events.onMade(id);
    } else if (before !== undefined) {
      this.#tokens.delete(id);
      this.#gone(id, before);
    }
  }

  #gone(id: string, token: StoredToken | null): void {
    const hasExpired = token !== null && token.expiresAt !== null && token.expiresAt <= Date.now();
    if (!hasExpired) this.#events.onRevoked(id);
  }
}
