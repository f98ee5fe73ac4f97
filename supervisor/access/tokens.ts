// The tokens: made, listed, revoked, and checked when a request brings one.
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { AppError } from '../../shared/errors.ts';
import type { Logger } from '../log.ts';
import { storeUnavailable } from '../store/refusal.ts';
import type { StoredToken, TokenStore } from '../store/tokens.ts';
import { ADMIN, callerOf, unauthorized, type Caller, type TokenReference } from './caller.ts';
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
  /** Why nothing may go on under a token; null while it may. */
  tokenEnd(token: TokenReference | null): string | null;
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
    if (id === null) return this.#judge(null, digest);
    try {
      const found = this.#options.store.find(id);
      const judged = (token: StoredToken | null) => this.#judge(token, digest) ?? this.#judgeAnew(id, digest);
      return found instanceof Promise ? found.then(judged, unavailable) : judged(found);
    } catch (error) {
      return unavailable(error);
    }
  }

  /** To be asked again of a caller whose request took its time after it was let in. @throws AppError UNAUTHORIZED where its token has ended meanwhile */
  recheck({ token }: Pick<Caller, 'token'>): void {
    if (this.#options.tokenEnd(token) !== null) throw unauthorized();
  }

  /**
   * Makes a token.
   * @param minter whoever asks for it: grants no scope that it lacks, and none once its own token has ended
   * @throws AppError UNAUTHORIZED, FORBIDDEN, TOO_MANY_TOKENS, STORE_UNAVAILABLE
   */
  async create({ scopes, userId, name, ttlMs }: TokenRequest, minter: Caller): Promise<{ readonly token: string; readonly stored: StoredToken }> {
    const lacking = scopes.filter((scope) => !minter.scopes.has(scope));
    if (lacking.length > 0) throw new AppError('FORBIDDEN', { message: `Nobody grants a scope without having it: ${lacking.join(', ')}.` });
    const now = Date.now();
    const { id, token } = makeToken();
    const expiresAt = ttlMs === null ? null : now + ttlMs;
    const stored = { id, digest: digestOf(token), name, userId, scopes, createdAt: now, expiresAt, lastUsedAt: null, useCount: 0 };
    const add = (): boolean | Promise<boolean> => {
      this.recheck(minter);
      return this.#options.store.add(stored);
    };
    const added = await fromStore(async () => {
      if (await add()) return true;
      // Those that have expired are kept to be seen, but not in the way of new ones.
      await this.#options.store.deleteExpired(now);
      return add();
    });
    if (!added) throw new AppError('TOO_MANY_TOKENS');
    this.#options.log.info({ token_id: id, scopes, by: minter.id, expires_at: expiresAt === null ? null : new Date(expiresAt).toISOString() }, 'token made');
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
   * @throws AppError UNAUTHORIZED (that of whoever asks has ended meanwhile), TOKEN_NOT_FOUND, STORE_UNAVAILABLE
   */
  async revoke(id: string, by: Caller): Promise<void> {
    this.recheck(by);
    if (!(await fromStore(async () => this.#options.store.delete(id)))) throw new AppError('TOKEN_NOT_FOUND');
    this.#options.log.info({ token_id: id, by: by.id }, 'token revoked');
    this.#options.onRevoked(id);
  }

  /** Writes the uses that are not written yet. */
  async close(): Promise<void> {
    await this.#uses.close();
  }

  /** What fails is looked up anew, whatever it fails by: none of the ways to fail is told from another by the time that it takes. */
  #judgeAnew(id: string, digest: Uint8Array): null | Promise<Caller | null> {
    const { findNow } = this.#options.store;
    return findNow === null ? null : findNow(id).then((token) => this.#judge(token, digest), unavailable);
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
  throw error instanceof AppError ? error : storeUnavailable('tokens', error);
}

async function fromStore<T>(ask: () => Promise<T>): Promise<T> {
  return ask().catch(unavailable);
}
