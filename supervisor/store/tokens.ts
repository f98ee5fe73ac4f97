// What a store of tokens keeps, and what it can be asked. A store that answers over a network returns promises; the embedded one answers at once.
import type { Scope } from '../access/scopes.ts';

/** Beyond these no more are made. */
export const MAX_TOKENS = 10_000;

export interface StoredToken {
  readonly id: string;
  /** SHA-256 of the whole token; nothing else of its secret is kept. */
  readonly digest: Uint8Array;
  readonly name: string | null;
  /** null: a service's token, which says with each request whom it is for. */
  readonly userId: string | null;
  /** In the order of `SCOPES`. */
  readonly scopes: readonly Scope[];
  /** ms since 1970, as all times here. */
  readonly createdAt: number;
  readonly expiresAt: number | null;
  readonly lastUsedAt: number | null;
  readonly useCount: number;
}

/** Uses of one token since they were last written. */
export interface TokenUse {
  readonly count: number;
  readonly lastUsedAt: number;
}

/** Every method may throw, or reject, where the store cannot be reached: nobody is let in then. */
export interface TokenStore {
  /** Whether it can be reached. */
  readonly isUp: boolean;
  /** null for an id that is unknown or revoked; those that have expired are found. */
  find(id: string): StoredToken | null | Promise<StoredToken | null>;
  /**
   * The same, asked anew where `find` may know it from up to a second ago: a token that another machine has just made is found. null: `find` always
   * says how it is.
   */
  readonly findNow: ((id: string) => Promise<StoredToken | null>) | null;
  /** @returns false where there are MAX_TOKENS already */
  add(token: StoredToken): boolean | Promise<boolean>;
  /** All, oldest first. */
  list(): readonly StoredToken[] | Promise<readonly StoredToken[]>;
  /** @returns whether there was one */
  delete(id: string): boolean | Promise<boolean>;
  /** Adds uses by token id; those of tokens that are gone count for nothing. */
  addUses(uses: ReadonlyMap<string, TokenUse>): void | Promise<void>;
  /** Deletes those that had expired at that time. */
  deleteExpired(before: number): void | Promise<void>;
}
