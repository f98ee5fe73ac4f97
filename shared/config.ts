// Configuration: flags and environment in, one frozen object out. The table of options is also what `--help` and the README show.
import { z } from 'zod';
import { DAY_S, decimal, seconds, whole, type RateLimit } from './config_values.ts';
import type { Secret } from './secret.ts';
import { postgresAddress, redisAddress, type StoreAddress } from './store_address.ts';
import { VARIABLES, type LogLevel, type VariableName } from './variables.ts';

export const MODES = ['chat', 'agent', 'logs', 'tokens', 'health'] as const;
export type Mode = (typeof MODES)[number];

/** What the machine offers, read at the edge. */
export interface Machine {
  /** CPUs that this process may use at once, a cgroup's quota rounded up included. */
  readonly parallelism: number;
  /** Memory that this process may use, in MiB, a cgroup's limit included. */
  readonly memoryMb: number;
}

export interface Config {
  readonly agent: string;
  /** null: the agent's own `port`, else 8000. 0: any free port. */
  readonly port: number | null;
  readonly host: string;
  readonly temperature: number | null;
  readonly maxTokens: number | null;
  readonly allowedModes: ReadonlySet<Mode>;
  readonly workers: number;
  /** Interactions at once in one worker. */
  readonly concurrency: number;
  /** Interactions that may wait for a worker. */
  readonly queueLimit: number;
  readonly workerHeapMb: number;
  readonly configRoot: string;
  readonly dataDir: string;
  /** Whether a change of the agent's files reloads. */
  readonly watch: boolean;
  /** How long a stop goes on accepting, not ready any more, so that balancers look elsewhere first. */
  readonly drainDelayMs: number;
  readonly authEnabled: boolean;
  readonly authForced: boolean;
  /** Without one, that of the data directory counts. */
  readonly adminToken: Secret;
  readonly maxMessageBytes: number;
  readonly sessionTtlMs: number;
  readonly chatTimeoutMs: number;
  readonly chatIdleTimeoutMs: number;
  readonly queueTimeoutMs: number;
  readonly cancelGraceMs: number;
  readonly stuckTimeoutMs: number;
  readonly bootTimeoutMs: number;
  readonly drainTimeoutMs: number;
  readonly keepAliveMs: number;
  readonly resumeMemoryBytes: number;
  readonly allowedOrigins: readonly string[];
  /** CIDRs of the proxies whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
  /** null: the embedded store has the tokens, sessions and limits. */
  readonly redis: StoreAddress | null;
  /** Of new interactions, per token or address; null: none. */
  readonly chatRateLimit: RateLimit | null;
  /** Interactions at once, per token or address; null: any number. */
  readonly maxConcurrentPerToken: number | null;
  /** null: interactions are not logged. */
  readonly logging: LoggingConfig | null;
  /** Where the log would be, but for DB_LOGGING_ENABLED, without a secret; null where no PostgreSQL is named, or it is used. */
  readonly unusedLogDatabase: string | null;
  readonly logLevel: LogLevel;
  readonly logFormat: 'text' | 'json';
}

export interface LoggingConfig {
  /** null: the log is embedded. */
  readonly postgres: StoreAddress | null;
  /** 0: for ever. */
  readonly retentionDays: number;
  /** Whether rows have texts. */
  readonly keepsContent: boolean;
  readonly spoolMaxBytes: number;
}

/** A flag or variable whose value is not what it has to be. `kind` decides the exit code: 2 for a flag, 78 for a variable. */
export class ConfigError extends Error {
  readonly kind: 'flag' | 'variable';

  constructor(kind: 'flag' | 'variable', message: string) {
    super(message);
    this.name = 'ConfigError';
    this.kind = kind;
  }
}

interface OptionRow {
  readonly flag: string;
  readonly fallback: string;
  readonly doc: string;
}

/** The options of `serve`, as `--help` and the README show them. */
export const SERVE_OPTIONS = {
  port: { flag: '-p, --port <n>', fallback: "$PORT, the agent's port, 8000", doc: '0 = any free port' },
  host: { flag: '--host <addr>', fallback: '0.0.0.0', doc: 'address to listen on' },
  temperature: { flag: '-t, --temperature <x>', fallback: "the agent's", doc: "overrides the model's parameter" },
  maxTokens: { flag: '-m, --max-tokens <n>', fallback: "the agent's", doc: "overrides the model's parameter" },
  allowedModes: { flag: '--allowed-modes <m…>', fallback: 'all', doc: `${MODES.join(' ')}; by spaces or commas, repeatable` },
  workers: { flag: '-w, --workers <n>', fallback: 'CPUs, at most 8', doc: 'threads' },
  concurrency: { flag: '--concurrency <n>', fallback: '256', doc: 'interactions at once in one worker; 1 = a thread to itself' },
  queue: { flag: '--queue <n>', fallback: '1024', doc: 'interactions that may wait for a worker' },
  workerHeapMb: { flag: '--worker-heap-mb <n>', fallback: '60 % of memory ÷ (2 × workers), within 96–2048', doc: 'heap cap of a worker' },
  configRoot: { flag: '--config-root <dir>', fallback: '$CONFIG_ROOT, .', doc: 'where agents and .env are looked for' },
  dataDir: { flag: '--data-dir <dir>', fallback: '$OAI_DATA_DIR, .oai-agent-server/<agent>', doc: 'the embedded store' },
  watch: { flag: '--watch', fallback: 'off', doc: "reload when the agent's file, .env or a module of its own that it imports changes" },
  drainDelay: { flag: '--drain-delay <s>', fallback: '0', doc: 'at a stop: not ready, but still accepting, for so long' },
} as const satisfies Record<string, OptionRow>;

export type ServeOption = keyof typeof SERVE_OPTIONS;

/** The options as the command line gave them: strings, or absent. `allowedModes` are single words, `watch` is a switch. */
export type ServeFlags = Partial<Readonly<Record<TextOption, string>>> & { readonly allowedModes?: readonly string[]; readonly watch?: boolean };

type TextOption = Exclude<ServeOption, 'allowedModes' | 'watch'>;

const modeSchema = z.enum(MODES, `words of ${MODES.join(', ')}`);
const MAX_WORKERS = 256;

/**
 * Turns flags and environment into the configuration.
 * @param agentSlug the agent's name as it may stand in a folder's name, for the default data directory
 * @throws ConfigError that names the flag or variable, its value and what was expected
 */
export function parseConfig(
  agent: string,
  agentSlug: string,
  flags: ServeFlags,
  env: Readonly<Record<string, string | undefined>>,
  machine: Machine,
  isTerminal: boolean,
): Config {
  const option = <T>(name: TextOption, schema: z.ZodType<T, string>): T | null => {
    const text = flags[name];
    return text === undefined ? null : parse('flag', SERVE_OPTIONS[name].flag.match(/--[a-z-]+/)?.[0] ?? name, text, schema);
  };
  const variable = variablesOf(env);
  const portSchema = whole(0, 65_535);
  const portOfEnv = set(env['PORT']);
  const workers = option('workers', whole(1, MAX_WORKERS)) ?? Math.max(1, Math.min(machine.parallelism, 8));
  const logFormat = variable('LOG_FORMAT');
  const nonEmpty = z.string().min(1, 'a path that is not empty');
  // Read where the log is off, too: what is not valid is told before somebody turns it on.
  const logging: LoggingConfig = {
    postgres: postgresAddress(variable('LOGGING_DB_URL'), {
      host: variable('LOGGING_DB_HOST'),
      port: variable('LOGGING_DB_PORT'),
      name: variable('LOGGING_DB_NAME'),
      user: variable('LOGGING_DB_USER'),
      password: variable('LOGGING_DB_PASSWORD'),
      sslMode: variable('LOGGING_DB_SSLMODE'),
    }),
    retentionDays: variable('LOG_RETENTION_DAYS'),
    keepsContent: variable('LOG_CONTENT'),
    spoolMaxBytes: variable('SPOOL_MAX_MB') * 1024 * 1024,
  };
  return Object.freeze({
    agent,
    port: option('port', portSchema) ?? (portOfEnv === undefined ? null : parse('variable', 'PORT', portOfEnv, portSchema)),
    host: option('host', z.string().min(1, 'an address').max(255, 'an address')) ?? '0.0.0.0',
    temperature: option('temperature', decimal(0, 2)),
    maxTokens: option('maxTokens', whole(1, 10_000_000)),
    allowedModes: new Set(flags.allowedModes === undefined ? MODES : flags.allowedModes.map((mode) => parse('flag', '--allowed-modes', mode, modeSchema))),
    workers,
    concurrency: option('concurrency', whole(1, 65_536)) ?? 256,
    queueLimit: option('queue', whole(0, 1_000_000)) ?? 1024,
    workerHeapMb: option('workerHeapMb', whole(32, 1_048_576)) ?? defaultHeapMb(machine.memoryMb, workers),
    configRoot: option('configRoot', nonEmpty) ?? set(env['CONFIG_ROOT']) ?? '.',
    dataDir: option('dataDir', nonEmpty) ?? set(env['OAI_DATA_DIR']) ?? `.oai-agent-server/${agentSlug}`,
    watch: flags.watch === true,
    drainDelayMs: option('drainDelay', seconds(0, DAY_S)) ?? 0,
    authEnabled: variable('AGENT_AUTH_ENABLED'),
    authForced: variable('FORCE_AUTH'),
    adminToken: variable('OAI_ADMIN_TOKEN'),
    maxMessageBytes: variable('MAX_MESSAGE_SIZE_BYTES'),
    sessionTtlMs: variable('SESSION_TTL_SECONDS'),
    chatTimeoutMs: variable('CHAT_TIMEOUT_SECONDS'),
    chatIdleTimeoutMs: variable('CHAT_IDLE_TIMEOUT_SECONDS'),
    queueTimeoutMs: variable('QUEUE_TIMEOUT_SECONDS'),
    cancelGraceMs: variable('CANCEL_GRACE_SECONDS'),
    stuckTimeoutMs: variable('STUCK_TIMEOUT_SECONDS'),
    bootTimeoutMs: variable('BOOT_TIMEOUT_SECONDS'),
    drainTimeoutMs: variable('DRAIN_TIMEOUT_SECONDS'),
    keepAliveMs: variable('KEEP_ALIVE_SECONDS'),
    resumeMemoryBytes: variable('RESUME_MEMORY_MB') * 1024 * 1024,
    allowedOrigins: variable('ALLOWED_ORIGINS'),
    trustedProxies: variable('TRUSTED_PROXIES'),
    redis: redisOf(env),
    chatRateLimit: variable('RATE_LIMIT_CHAT'),
    maxConcurrentPerToken: variable('MAX_CONCURRENT_PER_TOKEN'),
    logging: variable('DB_LOGGING_ENABLED') ? logging : null,
    unusedLogDatabase: variable('DB_LOGGING_ENABLED') ? null : (logging.postgres?.shown ?? null),
    logLevel: variable('LOG_LEVEL'),
    logFormat: logFormat === 'auto' ? (isTerminal ? 'text' : 'json') : logFormat,
  });
}

/** @returns the Redis that the environment names; null where it names none @throws ConfigError */
export function redisOf(env: Readonly<Record<string, string | undefined>>): StoreAddress | null {
  const variable = variablesOf(env);
  return redisAddress(variable('REDIS_URL'), variable('REDIS_HOST'), variable('REDIS_PORT'));
}

/** Reads variables by their name, or their defaults. */
function variablesOf(env: Readonly<Record<string, string | undefined>>) {
  return <N extends VariableName>(name: N) =>
    parse('variable', name, set(env[name]) ?? VARIABLES[name].fallback, VARIABLES[name].schema as never, VARIABLES[name].secret) as z.output<
      (typeof VARIABLES)[N]['schema']
    >;
}

/** 60 % of memory shared out, twice the workers because a reload runs two generations at once. */
function defaultHeapMb(memoryMb: number, workers: number): number {
  return Math.round(Math.min(2048, Math.max(96, (memoryMb * 0.6) / (2 * workers))));
}

/** An empty variable counts as not set, as in a compose file's `NAME=`. */
function set(value: string | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : value;
}

function parse<T>(kind: 'flag' | 'variable', name: string, text: string, schema: z.ZodType<T, string>, secret = false): T {
  const result = schema.safeParse(text);
  if (result.success) return result.data;
  const shown = secret ? `${text.length} characters` : JSON.stringify(text.slice(0, 100));
  throw new ConfigError(kind, `${name}: expected ${result.error.issues[0]?.message ?? 'another value'}, got ${shown}`);
}
