// What the interactions need of the other parts of the server.
import type { Config } from '../../shared/config.ts';
import type { TokenReference } from '../access/caller.ts';
import type { Logger } from '../log.ts';
import type { Dispatcher } from '../workers/dispatcher.ts';
import type { Interaction } from './interaction.ts';
import type { Sessions } from './sessions.ts';

export interface InteractionsOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly sessions: Sessions;
  readonly dispatcher: Dispatcher;
  readonly agentName: string;
  /** Why nothing may go on under the caller's token, in a sentence for the caller; null while it may. */
  readonly tokenEnd: (token: TokenReference | null) => string | null;
  /** Most items of the session that the agent's model is given. */
  maxItems(): number;
  /** An interaction has ended; told just after its terminal event. */
  onEnd(interaction: Interaction): void;
}
