// The parts of a running server, as its routes see them.
import type { Config } from '../shared/config.ts';
import type { Limits } from './access/limits.ts';
import type { Tokens } from './access/tokens.ts';
import type { Interactions } from './interactions/interactions.ts';
import type { Sessions } from './interactions/sessions.ts';
import type { Logs } from './logs/logs.ts';
import type { Metrics } from './metrics.ts';
import type { Reloads } from './reloads.ts';
import type { Store } from './store/store.ts';
import type { Uploads } from './uploads/uploads.ts';
import type { Generation } from './workers/generation.ts';
import type { Generations } from './workers/generations.ts';

/** starting → ready → draining (nothing new; what runs may finish) → stopped. */
export type Phase = 'starting' | 'ready' | 'draining' | 'stopped';

export interface App {
  /** A reload changes it in place. */
  readonly config: Config;
  /** Of the package. */
  readonly version: string;
  readonly interactions: Interactions;
  readonly sessions: Sessions;
  readonly tokens: Tokens;
  readonly store: Pick<Store, 'backend' | 'isUp' | 'isFull'>;
  readonly limits: Limits;
  /** null: interactions are not logged. */
  readonly logs: Logs | null;
  readonly uploads: Uploads;
  readonly metrics: Metrics;
  readonly reloads: Reloads;
  readonly generations: Pick<Generations, 'all'>;
  /** The generation that serves now. */
  generation(): Generation;
  /** Ends the process at once, with exit code 0. */
  kill(): void;
  phase(): Phase;
  /** Seconds since the server was ready. */
  uptimeS(): number;
}
