// The configuration in force as a person reads it: each value by the name of the option or variable that sets it, with no secret in it.
import type { Config } from '../shared/config.ts';
import { shownRate } from '../shared/config_values.ts';

export type Row = readonly [name: string, value: string];

/** @param agentPort of the agent's file */
export function shownConfig(config: Config, agentPort: number | null): Row[] {
  return [...optionsOf(config, agentPort), ...variablesOf(config), ...storesOf(config)];
}

function optionsOf(config: Config, agentPort: number | null): Row[] {
  return [
    ['--port', String(config.port ?? agentPort ?? 8000)],
    ['--host', config.host],
    ['--temperature', String(config.temperature ?? "the agent's")],
    ['--max-tokens', String(config.maxTokens ?? "the agent's")],
    ['--allowed-modes', listed([...config.allowedModes])],
    ['--workers', String(config.workers)],
    ['--concurrency', String(config.concurrency)],
    ['--queue', String(config.queueLimit)],
    ['--worker-heap-mb', String(config.workerHeapMb)],
    ['--config-root', config.configRoot],
    ['--data-dir', config.dataDir],
    ['--watch', config.watch ? 'on' : 'off'],
    ['--drain-delay', shownSeconds(config.drainDelayMs)],
  ];
}

function variablesOf(config: Config): Row[] {
  return [
    ['AGENT_AUTH_ENABLED', String(config.authEnabled)],
    ['FORCE_AUTH', String(config.authForced)],
    ['OAI_ADMIN_TOKEN', config.adminToken.reveal() === null ? 'that of the data directory' : '***'],
    ['MAX_MESSAGE_SIZE_BYTES', String(config.maxMessageBytes)],
    ['SESSION_TTL_SECONDS', shownSeconds(config.sessionTtlMs)],
    ['CHAT_TIMEOUT_SECONDS', shownSeconds(config.chatTimeoutMs)],
    ['CHAT_IDLE_TIMEOUT_SECONDS', shownSeconds(config.chatIdleTimeoutMs)],
    ['QUEUE_TIMEOUT_SECONDS', shownSeconds(config.queueTimeoutMs)],
    ['CANCEL_GRACE_SECONDS', shownSeconds(config.cancelGraceMs)],
    ['STUCK_TIMEOUT_SECONDS', shownSeconds(config.stuckTimeoutMs)],
    ['BOOT_TIMEOUT_SECONDS', shownSeconds(config.bootTimeoutMs)],
    ['DRAIN_TIMEOUT_SECONDS', shownSeconds(config.drainTimeoutMs)],
    ['KEEP_ALIVE_SECONDS', shownSeconds(config.keepAliveMs)],
    ['RESUME_MEMORY_MB', shownMb(config.resumeMemoryBytes)],
    ['ALLOWED_ORIGINS', listed(config.allowedOrigins)],
    ['TRUSTED_PROXIES', listed(config.trustedProxies)],
    ['RATE_LIMIT_CHAT', config.chatRateLimit === null ? 'none' : shownRate(config.chatRateLimit)],
    ['MAX_CONCURRENT_PER_TOKEN', String(config.maxConcurrentPerToken ?? 'none')],
    ['LOG_LEVEL', config.logLevel],
    ['LOG_FORMAT', config.logFormat],
  ];
}

function storesOf({ redis, logging }: Config): Row[] {
  const store: Row = ['REDIS_URL', redis === null ? 'embedded' : `Redis at ${redis.shown}`];
  if (logging === null) return [store, ['DB_LOGGING_ENABLED', 'false']];
  return [
    store,
    ['DB_LOGGING_ENABLED', 'true'],
    ['LOGGING_DB_URL', logging.postgres === null ? 'embedded' : `PostgreSQL at ${logging.postgres.shown}`],
    ['LOG_RETENTION_DAYS', logging.retentionDays === 0 ? 'for ever' : String(logging.retentionDays)],
    ['LOG_CONTENT', String(logging.keepsContent)],
    ['SPOOL_MAX_MB', shownMb(logging.spoolMaxBytes)],
  ];
}

function shownSeconds(ms: number): string {
  return String(ms / 1000);
}

function shownMb(bytes: number): string {
  return String(bytes / 1024 / 1024);
}

export function listed(items: readonly string[]): string {
  return items.length === 0 ? 'none' : items.join(', ');
}
