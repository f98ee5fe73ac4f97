// The lines that a start prints: what answers, where things are kept, who may come in, and what is unsafe.
import type { Config } from '../shared/config.ts';
import type { AgentFacts } from '../shared/protocol.ts';
import type { AdminToken } from './access/admin_token.ts';

/** What is told of the tokens. */
export interface TokenNotice {
  /** null: not known, as their store is away. */
  readonly count: number | null;
  readonly adminToken: AdminToken;
  /** Whether a person sees the lines: nothing else is shown the admin token. */
  readonly isTerminal: boolean;
}

/** @param nodeOptions what this process was started with: the words of NODE_OPTIONS and of its command line */
export function startNotices(config: Config, facts: AgentFacts, nodeOptions: readonly string[], tokens: TokenNotice): string[] {
  // V8 gives its own option precedence over the cap of a thread: https://nodejs.org/api/worker_threads.html (resourceLimits).
  const heapOption = nodeOptions.findLast((option) => /^--max[-_]old[-_]space[-_]size/.test(option));
  const model = facts.model === null ? 'as the agent chooses' : `${facts.model.model_id} (${facts.model.provider})`;
  return [
    `model: ${model}`,
    `store: ${storeOf(config)}`,
    `log: ${logOf(config)}`,
    `access: ${accessOf(config)}`,
    ...(config.authEnabled ? [`tokens: ${tokensOf(tokens)}`] : []),
    ...[...facts.warnings, ...configWarnings(config)].map((warning) => `warning: ${warning}`),
    ...(heapOption === undefined ? [] : [`warning: ${heapOption} caps the heap of each worker too, whatever --worker-heap-mb says`]),
  ];
}

/** What is unsafe, or does not fit together, in a configuration. */
export function configWarnings({ authEnabled, host, keepAliveMs, drainTimeoutMs }: Config): string[] {
  const times = `KEEP_ALIVE_SECONDS=${keepAliveMs / 1000} is not below DRAIN_TIMEOUT_SECONDS=${drainTimeoutMs / 1000}`;
  return [
    ...(authEnabled || isLoopback(host) ? [] : [`AGENT_AUTH_ENABLED=false, so whoever reaches ${host} may do everything`]),
    ...(keepAliveMs < drainTimeoutMs ? [] : [`${times}, so a stop waits for idle connections until that deadline, and cuts them`]),
  ];
}

function storeOf({ redis, dataDir }: Config): string {
  return redis === null ? `embedded, in ${dataDir} (--data-dir, REDIS_URL)` : `Redis at ${redis.shown} (REDIS_URL); the rest in ${dataDir} (--data-dir)`;
}

function logOf({ logging, unusedLogDatabase: unused, dataDir }: Config): string {
  if (logging === null) return `none of the interactions${unused === null ? '' : `, though a PostgreSQL is named, at ${unused}`} (DB_LOGGING_ENABLED)`;
  return logging.postgres === null ? `embedded, in ${dataDir} (LOGGING_DB_URL)` : `PostgreSQL at ${logging.postgres.shown} (LOGGING_DB_URL)`;
}

function accessOf(config: Config): string {
  if (!config.authEnabled) return 'nobody is asked for a token (AGENT_AUTH_ENABLED)';
  if (config.authForced) return 'every request is asked for a token (FORCE_AUTH)';
  return 'requests of this user from this machine need no token, all others need one (FORCE_AUTH, AGENT_AUTH_ENABLED)';
}

function tokensOf({ count, adminToken: { place, made }, isTerminal }: TokenNotice): string {
  const where = place === 'OAI_ADMIN_TOKEN' ? place : `in ${place} (OAI_ADMIN_TOKEN)`;
  return `${count ?? 'how many is not known, as their store does not answer'}; the admin token is ${where}${made === null || !isTerminal ? '' : `: ${made.reveal()}`}`;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}
