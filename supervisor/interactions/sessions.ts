// The sessions as interactions use them: whose turn it is, what the agent is given of them, what is appended.
import type { Config } from '../../shared/config.ts';
import { AppError } from '../../shared/errors.ts';
import type { InteractionEnd } from '../../shared/protocol.ts';
import { unauthorized, type Caller, type TokenReference } from '../access/caller.ts';
import { orElse } from '../at_once.ts';
import type { Logger } from '../log.ts';
import type { Place, SessionOrder } from '../store/order.ts';
import { storeUnavailable } from '../store/refusal.ts';
import type { SessionHistory, SessionStore, StoredSession } from '../store/session.ts';
import type { InteractionRequest } from './interaction.ts';

/** A session whose id the server made and that has one turn: nobody has come back to it yet. */
const UNNAMED_SESSION_TTL_MS = 86_400_000;
const NOTHING: SessionHistory = { turnCount: 0, turns: [] };

export interface SessionsOptions {
  readonly store: SessionStore;
  readonly order: SessionOrder;
  /** How long a session is kept after its last interaction, and how long a turn can last, for which a deletion waits. */
  readonly config: Pick<Config, 'sessionTtlMs' | 'chatTimeoutMs'>;
  /** Why nothing may go on under a token; null while it may. */
  readonly tokenEnd: (token: TokenReference | null) => string | null;
  readonly log: Logger;
}

export class Sessions {
  readonly #options: SessionsOptions;

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  /** The interaction's place in the line of its session. @throws AppError SESSION_TAKEN, SESSION_BUSY, STORE_UNAVAILABLE */
  enter({ sessionId, owner, sessionIsNew }: InteractionRequest): Place | Promise<Place> {
    return fromStore(() => this.#options.order.enter(sessionId, owner, sessionIsNew));
  }

  /** What a worker is sent of the session: its newest whole turns of together at most `maxItems` items. @throws the store's error */
  history({ sessionId, sessionIsNew }: InteractionRequest, maxItems: number): SessionHistory | Promise<SessionHistory> {
    return sessionIsNew ? NOTHING : this.#options.store.history(sessionId, maxItems, Date.now());
  }

  /** The whole session, if it is this caller's. @throws AppError SESSION_NOT_FOUND, STORE_UNAVAILABLE */
  async read(sessionId: string, owner: string): Promise<StoredSession> {
    const session = await fromStore(() => this.#options.store.read(sessionId, Date.now()));
    if (session?.owner !== owner) throw new AppError('SESSION_NOT_FOUND');
    return session;
  }

  /** Appends an interaction's turn. @returns whether it is stored; why it is not, is in the log */
  async save(request: InteractionRequest, end: Extract<InteractionEnd, { status: 'success' }>, place: Place): Promise<boolean> {
    const { sessionId, owner, userId, sessionIsNew } = request;
    const { items, itemCount } = end;
    const { config, store, log } = this.#options;
    const ttlMs = config.sessionTtlMs;
    const firstTtlMs = sessionIsNew ? Math.min(UNNAMED_SESSION_TTL_MS, ttlMs) : ttlMs;
    try {
      await store.append({ sessionId, owner, userId, isFirst: sessionIsNew, items, itemCount, now: Date.now(), ttlMs, firstTtlMs }, place);
      return true;
    } catch (error) {
      log.error({ err: error, interaction_id: request.id }, 'the session could not be appended to');
      return false;
    }
  }

  /**
   * Deletes a session once the turn that runs in it has ended.
   * @throws AppError SESSION_NOT_FOUND, SESSION_BUSY, STORE_UNAVAILABLE, UNAUTHORIZED (its token has ended meanwhile)
   */
  async delete(sessionId: string, { id: owner, token }: Pick<Caller, 'id' | 'token'>): Promise<void> {
    const place = await this.#enterOwn(sessionId, owner);
    try {
      await this.#turnOf(place);
      if (this.#options.tokenEnd(token) !== null) throw unauthorized();
      if (!(await fromStore(() => this.#options.store.delete(sessionId, place)))) throw new AppError('SESSION_NOT_FOUND');
    } finally {
      place.leave();
    }
  }

  async #turnOf(place: Place): Promise<void> {
    const turn = Promise.withResolvers<void>();
    const timer = setTimeout(() => turn.reject(new AppError('SESSION_BUSY')), this.#options.config.chatTimeoutMs);
    place.whenTurn(turn.resolve, () => turn.reject(new AppError('STORE_UNAVAILABLE')));
    await turn.promise.finally(() => clearTimeout(timer));
  }

  async #enterOwn(sessionId: string, owner: string): Promise<Place> {
    try {
      return await fromStore(() => this.#options.order.enter(sessionId, owner, false));
    } catch (error) {
      throw error instanceof AppError && error.code === 'SESSION_TAKEN' ? new AppError('SESSION_NOT_FOUND') : error;
    }
  }
}

function fromStore<T>(ask: () => T | Promise<T>): T | Promise<T> {
  return orElse(ask, (error) => {
    throw error instanceof AppError ? error : storeUnavailable('sessions', error);
  });
}
