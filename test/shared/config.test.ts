// Flags and environment become one configuration, or one error that says what was expected.
import t from 'tap';
import { MODES, parseConfig, type Config, type ServeFlags } from '../../shared/config.ts';
import { VARIABLES } from '../../shared/variables.ts';
import { Secret } from '../../shared/secret.ts';

const MACHINE = { parallelism: 4, memoryMb: 8000 };
const configOf = (flags: ServeFlags = {}, env: Readonly<Record<string, string>> = {}, machine = MACHINE, isTerminal = false): Config =>
  parseConfig('my agent', 'my_agent', flags, env, machine, isTerminal);

t.test('the defaults are the contract\'s', async (t) => {
  t.strictSame(configOf(), {
    agent: 'my agent', port: null, host: '0.0.0.0', temperature: null, maxTokens: null, allowedModes: new Set(MODES), workers: 4,
    concurrency: 256, queueLimit: 1024,
    workerHeapMb: 600, configRoot: '.', dataDir: '.oai-agent-server/my_agent', authEnabled: true, authForced: false, adminToken: new Secret(null), maxMessageBytes: 1_048_576,
    sessionTtlMs: 2_592_000_000, chatTimeoutMs: 600_000, chatIdleTimeoutMs: 180_000, queueTimeoutMs: 30_000, cancelGraceMs: 5000,
    stuckTimeoutMs: 30_000,
    bootTimeoutMs: 30_000, drainTimeoutMs: 25_000, keepAliveMs: 5000, resumeMemoryBytes: 64 * 1024 * 1024, allowedOrigins: [], logLevel: 'info',
    trustedProxies: [], redis: null, watch: false, drainDelayMs: 0, chatRateLimit: null, maxConcurrentPerToken: null, logging: null, unusedLogDatabase: null,
    logFormat: 'json',
  });
});

t.test('it cannot be changed', async (t) => {
  t.ok(Object.isFrozen(configOf()));
});

t.test('flags win over variables', async (t) => {
  t.match(
    configOf({ port: '0', dataDir: '/a', configRoot: '/b' }, { PORT: '1', OAI_DATA_DIR: '/c', CONFIG_ROOT: '/d' }),
    { port: 0, dataDir: '/a', configRoot: '/b' },
  );
  t.match(configOf({}, { PORT: '1', OAI_DATA_DIR: '/c', CONFIG_ROOT: '/d' }), { port: 1, dataDir: '/c', configRoot: '/d' });
});

t.test('an empty variable is as if it were not set', async (t) => {
  t.strictSame(
    configOf({}, Object.fromEntries([...Object.keys(VARIABLES), 'PORT', 'CONFIG_ROOT', 'OAI_DATA_DIR'].map((name) => [name, '']))),
    configOf(),
  );
});

t.test('workers are as many as the machine runs at once, at most 8', async (t) => {
  t.strictSame([1, 3, 8, 64].map((parallelism) => configOf({}, {}, { parallelism, memoryMb: 8000 }).workers), [1, 3, 8, 8]);
  t.equal(configOf({ workers: '12' }).workers, 12);
});

t.test('a worker\'s heap is its share of 60 % of memory for two generations, within bounds', async (t) => {
  const heapOf = (memoryMb: number, workers: string): number => configOf({ workers }, {}, { parallelism: 1, memoryMb }).workerHeapMb;
  t.strictSame([heapOf(512, '1'), heapOf(512, '4'), heapOf(64_000, '1'), heapOf(4000, '2')], [154, 96, 2048, 600]);
});

t.test('modes are a set of known words', async (t) => {
  t.strictSame(configOf({ allowedModes: ['chat', 'health', 'chat'] }).allowedModes, new Set(['chat', 'health']));
  t.throws(() => configOf({ allowedModes: ['chats'] }), {
    kind: 'flag', message: '--allowed-modes: expected words of chat, agent, logs, tokens, health, got "chats"',
  });
});

t.test('seconds may have a fraction, and become whole milliseconds', async (t) => {
  t.match(configOf({}, { CHAT_TIMEOUT_SECONDS: '0.25', DRAIN_TIMEOUT_SECONDS: '0' }), { chatTimeoutMs: 250, drainTimeoutMs: 0 });
});

t.test('flags of two values have several spellings', async (t) => {
  for (const text of ['true', 'TRUE', '1', 'yes', 'on']) t.equal(configOf({}, { FORCE_AUTH: text }).authForced, true, text);
  for (const text of ['false', '0', 'No', 'off']) t.equal(configOf({}, { AGENT_AUTH_ENABLED: text }).authEnabled, false, text);
});

t.test('the log is text on a terminal, unless it is told otherwise', async (t) => {
  t.strictSame([
    configOf({}, {}, MACHINE, true).logFormat,
    configOf({}, { LOG_FORMAT: 'json' }, MACHINE, true).logFormat,
    configOf({}, { LOG_FORMAT: 'text' }).logFormat,
  ], [
    'text', 'json', 'text',
  ]);
});

t.test('origins are exact, or *', async (t) => {
  t.strictSame(configOf({}, { ALLOWED_ORIGINS: 'https://a.example, http://localhost:3000,' }).allowedOrigins, [
    'https://a.example', 'http://localhost:3000',
  ]);
  t.strictSame(configOf({}, { ALLOWED_ORIGINS: '*' }).allowedOrigins, ['*']);
  for (const wrong of ['https://a.example/', 'a.example', 'https://*.example', 'https://a.example/path', 'HTTPS://A.example']) {
    t.throws(() => configOf({}, { ALLOWED_ORIGINS: wrong }), { kind: 'variable', message: /^ALLOWED_ORIGINS: expected origins such as / }, wrong);
  }
});

t.test('a wrong value is named with what was expected, and nothing is guessed', async (t) => {
  for (const wrong of ['', '-1', '65536', '1e3', '0x50', ' 80', '80.0', '8000 ', '٨']) {
    t.throws(
      () => configOf({ port: wrong }),
      { kind: 'flag', message: `--port: expected a whole number from 0 to 65535, got ${JSON.stringify(wrong)}` },
      wrong,
    );
  }
  const variables: readonly (readonly [string, string, RegExp])[] = [
    ['PORT', 'http', /^PORT: expected a whole number from 0 to 65535, got "http"$/],
    ['FORCE_AUTH', 'maybe', /^FORCE_AUTH: expected true or false, got "maybe"$/],
    ['MAX_MESSAGE_SIZE_BYTES', '0', /^MAX_MESSAGE_SIZE_BYTES: expected a whole number from 1 to 67108864, got "0"$/],
    ['CHAT_TIMEOUT_SECONDS', '-5', /^CHAT_TIMEOUT_SECONDS: expected a number from 0.1 to 86400, got "-5"$/],
    ['LOG_LEVEL', 'loud', /^LOG_LEVEL: expected one of trace, debug, .*, got "loud"$/],
    ['LOG_FORMAT', 'xml', /^LOG_FORMAT: expected text, json or auto, got "xml"$/],
  ];
  for (const [name, value, message] of variables) t.throws(() => configOf({}, { [name]: value }), { kind: 'variable', message });
  t.throws(() => configOf({ temperature: '2.5' }), { kind: 'flag', message: '--temperature: expected a number from 0 to 2, got "2.5"' });
  t.throws(() => configOf({ dataDir: '' }), { kind: 'flag', message: '--data-dir: expected a path that is not empty, got ""' });
});

t.test('the admin token is taken as it is, and shown by nothing', async (t) => {
  const { adminToken } = configOf({}, { OAI_ADMIN_TOKEN: 'sixteen-or-more!' });
  t.equal(adminToken.reveal(), 'sixteen-or-more!');
  t.notMatch(JSON.stringify(configOf({}, { OAI_ADMIN_TOKEN: 'sixteen-or-more!' })) + String(adminToken), 'sixteen');
  for (const wrong of ['fifteen-is-less', 'sixteen or more!', 'x'.repeat(257), 'sixteen-or-möre!']) {
    const message = `OAI_ADMIN_TOKEN: expected from 16 to 256 characters of ASCII without spaces, got ${wrong.length} characters`;
    t.throws(() => configOf({}, { OAI_ADMIN_TOKEN: wrong }), { kind: 'variable', message });
  }
});

t.test('Redis is named by a URL or by its parts, and shown without its password', async (t) => {
  const redisOf = (env: Record<string, string>) => {
    const { redis } = configOf({}, env);
    return redis === null ? null : [redis.url.reveal(), redis.shown];
  };
  t.equal(redisOf({}), null);
  t.strictSame(redisOf({ REDIS_URL: 'rediss://:secret@cache.example:7000/2' }), ['rediss://:secret@cache.example:7000/2', 'cache.example:7000']);
  t.strictSame(redisOf({ REDIS_URL: 'redis://cache', REDIS_HOST: 'other', REDIS_PORT: '1' }), ['redis://cache', 'cache:6379'], 'a URL says all');
  t.strictSame(redisOf({ REDIS_HOST: 'cache' }), ['redis://cache:6379', 'cache:6379']);
  t.strictSame(redisOf({ REDIS_PORT: '7000' }), ['redis://localhost:7000', 'localhost:7000']);
  t.strictSame(redisOf({ REDIS_HOST: '::1' }), ['redis://[::1]:6379', '[::1]:6379']);
  t.notMatch(JSON.stringify(configOf({}, { REDIS_URL: 'redis://:secret@cache' })), 'secret');
  for (const wrong of ['http://cache', 'redis://', 'redis://cache/x', 'cache:6379']) {
    const expected = `REDIS_URL: expected a URL such as redis://:password@host:6379/0, got ${wrong.length} characters`;
    t.throws(() => configOf({}, { REDIS_URL: wrong }), { kind: 'variable', message: expected });
  }
  t.throws(() => configOf({}, { REDIS_PORT: '0' }), { message: /^REDIS_PORT: expected a whole number from 1 to 65535/ });
});

t.test('the log is off unless it is asked for; its database is named by a URL or by its parts', async (t) => {
  t.equal(configOf({}, { LOGGING_DB_HOST: 'db' }).logging, null);
  const postgresOf = (env: Record<string, string>) => configOf({}, { DB_LOGGING_ENABLED: 'true', ...env }).logging?.postgres ?? null;
  t.match(configOf({}, { DB_LOGGING_ENABLED: 'true' }).logging, { postgres: null, retentionDays: 90, keepsContent: true, spoolMaxBytes: 1024 * 1024 * 1024 });
  t.equal(postgresOf({ LOGGING_DB_HOST: 'db' })?.url.reveal(), 'postgres://postgres:postgres@db:5432/agent_logs');
  t.equal(postgresOf({ LOGGING_DB_SSLMODE: 'require' })?.url.reveal(), 'postgres://postgres:postgres@localhost:5432/agent_logs?sslmode=require');
  const given = 'postgres://u:p@h:5432/d';
  t.equal(postgresOf({ LOGGING_DB_URL: given, LOGGING_DB_SSLMODE: 'verify-full' })?.url.reveal(), `${given}?sslmode=verify-full`);
  t.equal(postgresOf({ LOGGING_DB_URL: `${given}?sslmode=disable`, LOGGING_DB_SSLMODE: 'require' })?.url.reveal(), `${given}?sslmode=disable`, 'the URL says all');
  t.throws(() => postgresOf({ LOGGING_DB_SSLMODE: 'perhaps' }), /LOGGING_DB_SSLMODE.*disable, require or verify-full/);
  t.equal(postgresOf({ LOGGING_DB_PASSWORD: 'p@ss/word' })?.url.reveal(), 'postgres://postgres:p%40ss%2Fword@localhost:5432/agent_logs');
  const { url, shown } = postgresOf({ LOGGING_DB_URL: 'postgresql://u:pass@db:6000/logs?sslmode=require' }) ?? {};
  t.strictSame([url?.reveal(), shown], ['postgresql://u:pass@db:6000/logs?sslmode=require', 'db:6000/logs']);
  for (const wrong of ['postgres://db', 'mysql://db/logs', 'db']) {
    t.throws(() => configOf({}, { LOGGING_DB_URL: wrong }), { message: /^LOGGING_DB_URL: expected a URL such as postgres:/ });
  }
});

t.test('limits and proxies', async (t) => {
  const limitOf = (text: string) => configOf({}, { RATE_LIMIT_CHAT: text }).chatRateLimit;
  t.strictSame(limitOf('60/minute'), { count: 60, windowMs: 60_000 });
  t.strictSame(limitOf('1/day'), { count: 1, windowMs: 86_400_000 });
  for (const wrong of ['60', '0/minute', '60/month', '60 / minute', '-1/second']) t.throws(() => limitOf(wrong), { message: /^RATE_LIMIT_CHAT: expected a limit such as/ });
  t.equal(configOf({}, { MAX_CONCURRENT_PER_TOKEN: '5' }).maxConcurrentPerToken, 5);
  t.throws(() => configOf({}, { MAX_CONCURRENT_PER_TOKEN: '0' }), { message: /^MAX_CONCURRENT_PER_TOKEN: expected/ });
  t.strictSame(configOf({}, { TRUSTED_PROXIES: '10.0.0.0/8, ::1,192.168.1.7' }).trustedProxies, ['10.0.0.0/8', '::1', '192.168.1.7']);
  t.throws(() => configOf({}, { TRUSTED_PROXIES: 'proxy.example' }), { message: /^TRUSTED_PROXIES: expected addresses or CIDRs/ });
});
