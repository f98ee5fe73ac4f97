// The environment variables that the server reads, as the README shows them: what each may be, its default, what it is for.
import { z } from 'zod';
import { adminToken, cidrs, DAY_S, flag, hostName, optional, origins, postgresUrl, rateLimit, redisUrl, seconds, sslMode, whole } from './config_values.ts';
import { Secret } from './secret.ts';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

interface VariableRow<T> {
  readonly schema: z.ZodType<T, string>;
  /** As the README shows it, and as it is parsed where the variable is not set. */
  readonly fallback: string;
  readonly doc: string;
  /** Its value is never shown. */
  readonly secret: boolean;
}

const row = <T>(schema: z.ZodType<T, string>, fallback: string, doc: string, secret = false): VariableRow<T> => ({ schema, fallback, doc, secret });

/** The environment variables that the server itself reads, with their defaults. */
export const VARIABLES = {
  AGENT_AUTH_ENABLED: row(flag, 'true', 'false: nobody is asked for a token, for nothing'),
  FORCE_AUTH: row(flag, 'false', 'true: a request from this machine is asked for a token too'),
  OAI_ADMIN_TOKEN: row(adminToken, '', 'the admin token; where it is not set, one is made at the first start, in the data directory', true),
  MAX_MESSAGE_SIZE_BYTES: row(whole(1, 67_108_864), '1048576', 'longest `message`, in bytes of UTF-8'),
  SESSION_TTL_SECONDS: row(seconds(1, 3650 * DAY_S), String(30 * DAY_S), 'how long a session is kept after its last interaction'),
  CHAT_TIMEOUT_SECONDS: row(seconds(0.1, DAY_S), '600', 'longest interaction, its waiting included'),
  CHAT_IDLE_TIMEOUT_SECONDS: row(seconds(0.1, DAY_S), '180', 'longest silence of the worker in an interaction'),
  QUEUE_TIMEOUT_SECONDS: row(seconds(0.1, DAY_S), '30', 'longest wait for a worker'),
  CANCEL_GRACE_SECONDS: row(seconds(0.1, 3600), '5', 'how long a cancelled agent may take to end'),
  STUCK_TIMEOUT_SECONDS: row(seconds(2, 3600), '30', 'how long a worker may go without a sign of life'),
  BOOT_TIMEOUT_SECONDS: row(seconds(0.1, 3600), '30', 'how long a worker may take to load the agent'),
  DRAIN_TIMEOUT_SECONDS: row(seconds(0, DAY_S), '25', 'how long a stop waits for running interactions'),
  KEEP_ALIVE_SECONDS: row(seconds(1, 3600), '5', 'how long an idle connection is kept; set it above the idle time of a balancer'),
  RESUME_MEMORY_MB: row(whole(0, 65_536), '64', 'memory for the events of ended interactions'),
  ALLOWED_ORIGINS: row(origins, '', 'origins whose pages may use the server (CORS), exact, or `*`'),
  TRUSTED_PROXIES: row(cidrs, '', 'addresses or CIDRs of the proxies whose X-Forwarded-For is believed'),
  REDIS_URL: row(redisUrl, '', 'Redis for tokens, sessions and limits, shared by every machine; none of the three set: embedded', true),
  REDIS_HOST: row(hostName, '', 'the same in parts; localhost once REDIS_PORT is set'),
  REDIS_PORT: row(optional(whole(1, 65_535)), '', '6379 once REDIS_HOST is set'),
  RATE_LIMIT_CHAT: row(rateLimit, '', 'most new interactions in any second, minute, hour or day, such as `60/minute`; per token, or per address without one'),
  MAX_CONCURRENT_PER_TOKEN: row(optional(whole(1, 1_000_000)), '', 'most interactions at once; per token, or per address without one'),
  DB_LOGGING_ENABLED: row(flag, 'false', 'true: a row of the log for every interaction'),
  LOGGING_DB_URL: row(postgresUrl, '', 'PostgreSQL for the log; none of these seven set: embedded', true),
  LOGGING_DB_HOST: row(hostName, '', 'the same in parts; localhost once any of these is set'),
  LOGGING_DB_PORT: row(optional(whole(1, 65_535)), '', '5432 once any of these is set'),
  LOGGING_DB_NAME: row(z.string(), '', 'agent_logs once any of these is set'),
  LOGGING_DB_USER: row(z.string(), '', 'postgres once any of these is set'),
  LOGGING_DB_PASSWORD: row(z.string().transform((text) => new Secret(text === '' ? null : text)), '', 'postgres once any of these is set', true),
  LOGGING_DB_SSLMODE: row(sslMode, '', 'TLS, of the URL as well where that has no `sslmode`: disable, require or verify-full'),
  LOG_RETENTION_DAYS: row(whole(0, 36_500), '90', 'how long rows of the log are kept; 0: for ever'),
  LOG_CONTENT: row(flag, 'true', 'false: rows have figures only, no texts and no files'),
  SPOOL_MAX_MB: row(whole(1, 1_048_576), '1024', 'disk for rows that are on their way to the database; beyond it they are lost, and counted'),
  LOG_LEVEL: row(z.enum(LOG_LEVELS, `one of ${LOG_LEVELS.join(', ')}`), 'info', "level of the server's own log, on stderr"),
  LOG_FORMAT: row(z.enum(['auto', 'text', 'json'], 'text, json or auto'), 'auto', 'auto: text on a terminal, else json'),
} as const;

export type VariableName = keyof typeof VARIABLES;

/** Read as the default of an option: `PORT` of `--port`, and so on. */
export const OPTION_VARIABLES = ['PORT', 'CONFIG_ROOT', 'OAI_DATA_DIR'] as const;

/** Read in the workers, from each interaction's environment. */
export const MODEL_VARIABLES = ['OPENAI_API_KEY', 'OPENAI_BASE_URL'] as const;

export const KNOWN_VARIABLES: readonly string[] = [...Object.keys(VARIABLES), ...OPTION_VARIABLES, ...MODEL_VARIABLES];
