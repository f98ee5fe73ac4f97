// The configuration of a running server, of which a reload takes a part over.
import type { Config } from '../shared/config.ts';
import { OPTION_VARIABLES, VARIABLES, type VariableName } from '../shared/variables.ts';
import type { Release } from './release.ts';

/** The variables that a reload takes over, by what they are in the configuration. All others are read once, by a start. */
export const RELOADED_VARIABLES = {
  LOG_LEVEL: 'logLevel',
  RATE_LIMIT_CHAT: 'chatRateLimit',
  MAX_CONCURRENT_PER_TOKEN: 'maxConcurrentPerToken',
  MAX_MESSAGE_SIZE_BYTES: 'maxMessageBytes',
  CHAT_TIMEOUT_SECONDS: 'chatTimeoutMs',
  CHAT_IDLE_TIMEOUT_SECONDS: 'chatIdleTimeoutMs',
  QUEUE_TIMEOUT_SECONDS: 'queueTimeoutMs',
  CANCEL_GRACE_SECONDS: 'cancelGraceMs',
  STUCK_TIMEOUT_SECONDS: 'stuckTimeoutMs',
  DRAIN_TIMEOUT_SECONDS: 'drainTimeoutMs',
  SESSION_TTL_SECONDS: 'sessionTtlMs',
  ALLOWED_ORIGINS: 'allowedOrigins',
  TRUSTED_PROXIES: 'trustedProxies',
} as const satisfies Partial<Record<VariableName, keyof Config>>;

const OTHER_VARIABLES = [...Object.keys(VARIABLES), ...OPTION_VARIABLES].filter((name) => !(name in RELOADED_VARIABLES));

export class LiveConfig {
  /** To be read from whenever a value is needed: what a reload takes over is changed in place. */
  readonly current: Config;
  readonly #started: Release;

  constructor(started: Release) {
    this.#started = started;
    this.current = { ...started.config };
  }

  /** What a reload makes of it: `fresh` as far as a reload takes over, the rest as it was at the start. */
  with(fresh: Config): Config {
    return { ...this.current, ...Object.fromEntries(Object.values(RELOADED_VARIABLES).map((key) => [key, fresh[key]])) };
  }

  /** Takes over what a reload may change. */
  take(fresh: Config): void {
    Object.assign(this.current, this.with(fresh));
  }

  /** @returns the names of the variables that have another value than at the start, and that only a new start takes over; sorted */
  needsRestart({ variables }: Pick<Release, 'variables'>): string[] {
    // An empty variable counts as not set.
    return OTHER_VARIABLES.filter((name) => (variables[name] ?? '') !== (this.#started.variables[name] ?? '')).sort();
  }
}
