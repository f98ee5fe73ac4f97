// The parts of a running server, as its routes see them.
import type { Config } from '../shared/config.ts';
import type { Tokens } from './access/tokens.ts';
import type { Interactions } from './interactions/interactions.ts';
import type { Sessions } from './interactions/sessions.ts';
import type { Metrics } from './metrics.ts';
import type { SessionStore } from './store/sqlite.ts';
import type { Uploads } from './uploads/uploads.ts';
import type { Generation } from './workers/generation.ts';

/** starting → ready → draining (nothing new; what runs may finish) → stopped. */
export type Phase = 'starting' | 'ready' | 'draining' | 'stopped';

export interface App {
  readonly config: Config;
  /** Of the package. */
  readonly version: string;
  readonly interactions: Interactions;
  readonly sessions: Sessions;
  readonly store: SessionStore;
  readonly tokens: Tokens;
  readonly uploads: Uploads;
  readonly metrics: Metrics;
  /** The generation that serves now. */
  generation(): Generation;
  phase(): Phase;
  /** Seconds since the server was ready. */
  uptimeS(): number;
}
