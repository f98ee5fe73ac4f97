// The tokens: made, listed, revoked, and checked when a request brings one.
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { AppError } from '../../shared/errors.ts';
import type { Logger } from '../log.ts';
import type { StoredToken, TokenStore } from '../store/tokens.ts';
import { ADMIN, callerOf, type Caller } from './caller.ts';
import { digestOf, makeToken, tokenIdOf } from './token_form.ts';
import type { TokenRequest } from './token_request.ts';
import { TokenUses } from './token_uses.ts';

/** Stands for the digest of a token that there is not, so that the same is done for it. */
const NO_DIGEST = randomBytes(32);

export interface TokensOptions {
  readonly store: TokenStore;
  /** SHA-256 of the admin token. */
  readonly adminDigest: Uint8Array;
  readonly log: Logger;
  /** The token is valid no more: what it has begun is to end. */
  onRevoked(id: string): void;
}

export class Tokens {
  readonly #options: TokensOptions;
  readonly #uses: TokenUses;

  constructor(options: TokensOptions) {
    this.#options = options;
    this.#uses = new TokenUses(options.store, options.log);
  }

  /** Whether the store can be reached. */
  get isUp(): boolean {
    return this.#options.store.isUp;
  }

  /**
   * Tells whose a credential is. What is written otherwise than a token is looked up nowhere; beyond that all that fail take the same way.
   * @returns null for one that is malformed, unknown, wrong, revoked or expired
   * @throws AppError STORE_UNAVAILABLE; never for the admin token
   */
  check(credential: string): Caller | null | Promise<Caller | null> {
    const digest = digestOf(credential);
    if (timingSafeEqual(digest, this.#options.adminDigest)) return ADMIN;
    const id = tokenIdOf(credential);
    try {
      const found = id === null ? null : this.#options.store.find(id);
      return found instanceof Promise ? found.then((token) => this.#judge(token, digest), unavailable) : this.#judge(found, digest);
    } catch (error) {
      return unavailable(error);
    }
  }

  /**
   * Makes a token.
   * @param minter whoever asks for it: grants no scope that it lacks
   * @throws AppError FORBIDDEN, TOO_MANY_TOKENS, STORE_UNAVAILABLE
   */
  async create({ scopes, userId, name, ttlMs }: TokenRequest, minter: Caller): Promise<{ readonly token: string; readonly stored: StoredToken }> {
    const lacking = scopes.filter((scope) => !minter.scopes.has(scope));
    if (lacking.length > 0) throw new AppError('FORBIDDEN', { message: `Nobody grants a scope without having it: ${lacking.join(', ')}.` });
    const now = Date.now();
    const { id, token } = makeToken();
    const expiresAt = ttlMs === null ? null : now + ttlMs;
    const stored = { id, digest: digestOf(token), name, userId, scopes, createdAt: now, expiresAt, lastUsedAt: null, useCount: 0 };
    const added = await fromStore(async () => {
      if (await this.#options.store.add(stored)) return true;
      // Those that have expired are kept to be seen, but not in the way of new ones.
      await this.#options.store.deleteExpired(now);
      return this.#options.store.add(stored);
    });
    if (!added) throw new AppError('TOO_MANY_TOKENS');
    this.#options.log.info({ token_id: id, scopes, by: minter.id, expires_at: expiresAt }, 'token made');
    return { token, stored };
  }

  /** All tokens, oldest first, their uses counted to this moment. @throws AppError STORE_UNAVAILABLE */
  list(): Promise<readonly StoredToken[]> {
    return fromStore(async () => {
      await this.#uses.write();
      return this.#options.store.list();
    });
  }

  /**
   * Ends a token: no request with it is taken from now on, and what it has begun ends.
   * @throws AppError TOKEN_NOT_FOUND, STORE_UNAVAILABLE
   */
  async revoke(id: string, by: Caller): Promise<void> {
    if (!(await fromStore(async () => this.#options.store.delete(id)))) throw new AppError('TOKEN_NOT_FOUND');
    this.#options.log.info({ token_id: id, by: by.id }, 'token revoked');
    this.#options.onRevoked(id);
  }

  /** Writes the uses that are not written yet. */
  async close(): Promise<void> {
    await this.#uses.close();
  }

  /** One way for every credential: whatever is wrong with it, it is hashed, compared and dated before anything is said. */
  #judge(token: StoredToken | null, digest: Uint8Array): Caller | null {
    const now = Date.now();
    const { digest: expected, expiresAt } = token ?? { digest: NO_DIGEST, expiresAt: null };
    const matches = timingSafeEqual(digest, expected);
    const lasts = expiresAt === null || now < expiresAt;
    if (token === null || !matches || !lasts) return null;
    this.#uses.count(token.id, now);
    return callerOf(token);
  }
}

function unavailable(error: unknown): never {
  throw new AppError('STORE_UNAVAILABLE', { message: 'The store of tokens cannot be reached.' }, { cause: error });
}

async function fromStore<T>(ask: () => Promise<T>): Promise<T> {
  return ask().catch(unavailable);
}
