// The sessions as interactions use them: whose they are, whose turn it is, what the agent is given of them, what is appended.
import { AppError } from '../../shared/errors.ts';
import type { InteractionEnd, InteractionTask } from '../../shared/protocol.ts';
import type { Logger } from '../log.ts';
import type { SessionStore } from '../store/sqlite.ts';
import type { InteractionRequest } from './interaction.ts';
import { SessionOrder } from './order.ts';

/** A session whose id the server made and that has one turn: nobody has come back to it yet. */
const UNNAMED_SESSION_TTL_MS = 86_400_000;

export class Sessions {
  readonly order = new SessionOrder();
  readonly #store: SessionStore;
  readonly #ttlMs: number;
  readonly #log: Logger;

  /** @param ttlMs how long a session is kept after its last interaction */
  constructor(store: SessionStore, ttlMs: number, log: Logger) {
    this.#log = log;
    this.#store = store;
    this.#ttlMs = ttlMs;
  }

  /** Who the session belongs to, its running interactions included. @throws AppError STORE_UNAVAILABLE */
  ownerOf(sessionId: string): string | undefined {
    return this.order.ownerOf(sessionId) ?? fromStore(() => this.#store.find(sessionId, Date.now())?.owner);
  }

  /** What a worker is sent of the session: its newest whole turns of together at most `maxItems` items. @throws AppError STORE_UNAVAILABLE */
  history(request: InteractionRequest, maxItems: number): Pick<InteractionTask, 'turns' | 'turnCount'> {
    const { sessionId, sessionIsNew } = request;
    return fromStore(() => {
      const turnCount = sessionIsNew ? 0 : (this.#store.find(sessionId, Date.now())?.turnCount ?? 0);
      return { turnCount, turns: turnCount === 0 ? [] : this.#store.turns(sessionId, maxItems) };
    });
  }

  /** Appends an interaction's turn. @returns whether it is stored; why it is not, is in the log */
  async save(request: InteractionRequest, end: Extract<InteractionEnd, { status: 'success' }>): Promise<boolean> {
    const { sessionId, owner, userId, sessionIsNew } = request;
    const { items, itemCount } = end;
    const ttlMs = this.#ttlMs;
    const firstTtlMs = sessionIsNew ? Math.min(UNNAMED_SESSION_TTL_MS, ttlMs) : ttlMs;
    try {
      await this.#store.append({ sessionId, owner, userId, isFirst: sessionIsNew, items, itemCount, now: Date.now(), ttlMs, firstTtlMs });
      return true;
    } catch (error) {
      this.#log.error({ err: error, interaction_id: request.id }, 'the session could not be appended to');
      return false;
    }
  }

  /** Deletes a session once the turn that runs in it has ended. @throws AppError SESSION_BUSY, STORE_UNAVAILABLE */
  async delete(sessionId: string, owner: string): Promise<void> {
    if (this.order.isFull(sessionId)) throw new AppError('SESSION_BUSY');
    await new Promise<void>((resolve) => this.order.enter(sessionId, owner, resolve));
    try {
      fromStore(() => this.#store.delete(sessionId));
    } finally {
      this.order.leave(sessionId);
    }
  }
}

function fromStore<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new AppError('STORE_UNAVAILABLE', {}, { cause: error });
  }
}
