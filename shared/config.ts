// Configuration: flags and environment in, one frozen object out. The tables below are also what `--help` and the README show.
import { z } from 'zod';
import { adminToken, DAY_S, decimal, flag, origins, seconds, whole } from './config_values.ts';
import type { Secret } from './secret.ts';

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
  readonly logLevel: LogLevel;
  readonly logFormat: 'text' | 'json';
  /** Variables that are set, and that this version does not use. */
  readonly unusedVariables: readonly string[];
}

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** A flag or variable whose value is not what it has to be. `kind` decides the exit code: 2 for a flag, 78 for a variable. */
export class ConfigError extends Error {
  readonly kind: 'flag' | 'variable';

  constructor(kind: 'flag' | 'variable', message: string) {
    super(message);
    this.name = 'ConfigError';
    this.kind = kind;
  }
}

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
  LOG_LEVEL: row(z.enum(LOG_LEVELS, `one of ${LOG_LEVELS.join(', ')}`), 'info', "level of the server's own log, on stderr"),
  LOG_FORMAT: row(z.enum(['auto', 'text', 'json'], 'text, json or auto'), 'auto', 'auto: text on a terminal, else json'),
} as const;

export type VariableName = keyof typeof VARIABLES;

/** Read as the default of an option: `PORT` of `--port`, and so on. */
export const OPTION_VARIABLES = ['PORT', 'CONFIG_ROOT', 'OAI_DATA_DIR'] as const;

/** Read in the workers, from each interaction's environment. */
export const MODEL_VARIABLES = ['OPENAI_API_KEY', 'OPENAI_BASE_URL'] as const;

/** Of the servers that this one replaces or will grow into: set without effect, which a start says. */
const UNUSED_VARIABLE = /^(REDIS_(URL|HOST|PORT)|DB_LOGGING_ENABLED|LOGGING_DB_.+|LOG_RETENTION_DAYS|LOG_CONTENT|SPOOL_MAX_MB|RATE_LIMIT_CHAT|MAX_CONCURRENT_PER_TOKEN|TRUSTED_PROXIES)$/;

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
} as const satisfies Record<string, OptionRow>;

export type ServeOption = keyof typeof SERVE_OPTIONS;

/** The options as the command line gave them: strings, or absent. `allowedModes` are single words. */
export type ServeFlags = Partial<Readonly<Record<Exclude<ServeOption, 'allowedModes'>, string>>> & { readonly allowedModes?: readonly string[] };

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
  const option = <T>(name: Exclude<ServeOption, 'allowedModes'>, schema: z.ZodType<T, string>): T | null => {
    const text = flags[name];
    return text === undefined ? null : parse('flag', SERVE_OPTIONS[name].flag.match(/--[a-z-]+/)?.[0] ?? name, text, schema);
  };
  const variable = <N extends VariableName>(name: N) =>
    parse('variable', name, set(env[name]) ?? VARIABLES[name].fallback, VARIABLES[name].schema as never, VARIABLES[name].secret) as z.output<
      (typeof VARIABLES)[N]['schema']
    >;

  const portSchema = whole(0, 65_535);
  const portOfEnv = set(env['PORT']);
  const workers = option('workers', whole(1, MAX_WORKERS)) ?? Math.max(1, Math.min(machine.parallelism, 8));
  const logFormat = variable('LOG_FORMAT');
  const nonEmpty = z.string().min(1, 'a path that is not empty');
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
    logLevel: variable('LOG_LEVEL'),
    unusedVariables: Object.keys(env).filter((name) => UNUSED_VARIABLE.test(name) && set(env[name]) !== undefined),
    logFormat: logFormat === 'auto' ? (isTerminal ? 'text' : 'json') : logFormat,
  });
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
