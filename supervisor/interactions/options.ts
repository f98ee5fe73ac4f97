// What the interactions need of the other parts of the server.
import type { Config } from '../../shared/config.ts';
import type { TokenReference } from '../access/caller.ts';
import type { Limits } from '../access/limits.ts';
import type { Logger } from '../log.ts';
import type { Dispatcher } from '../workers/dispatcher.ts';
import type { Interaction, Outcome } from './interaction.ts';
import type { Sessions } from './sessions.ts';

/**
 * Where the log keeps what becomes of interactions. Both have taken it when they return; their promises resolve when it is kept, or lost, or has kept
 * somebody waiting for too long, and never reject.
 */
export interface Records {
  opened(interaction: Interaction): Promise<void>;
  ended(interaction: Interaction, outcome: Outcome): Promise<void>;
  /** Keeps what was taken before it returns, where that can be done without waiting, and takes no more: the process is about to end. */
  closeNow(): void;
}

export interface InteractionsOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly sessions: Sessions;
  readonly dispatcher: Dispatcher;
  readonly agentName: string;
  /** Counts what goes on under one key. `begin` returns what ends it, to be called once, and throws AppError RATE_LIMITED or STORE_UNAVAILABLE. */
  readonly limits: Pick<Limits, 'begin'>;
  /** Why nothing may go on under the caller's token, in a sentence for the caller; null while it may. */
  readonly tokenEnd: (token: TokenReference | null) => string | null;
  /** Most items of the session that the agent's model is given. */
  maxItems(): number;
  /** null: none are kept. */
  readonly records: Records | null;
  /** An interaction has ended; told just after its terminal event. */
  onEnd(interaction: Interaction): void;
}
