import t from 'tap';
import { requestEnvProblem } from '../../../../shared/agent/request_env.ts';

t.test('variables of one\'s own and the model\'s key can be set by a request', async (t) => {
  const allowed = ['GITHUB_TOKEN', 'OPENAI_API_KEY', 'CUSTOMER_ID', 'A', 'TENANT2', 'X_TENANT', 'CF_API_TOKEN', 'CONTENT_API_TOKEN'];
  for (const name of allowed) t.equal(requestEnvProblem(name), null, name);
});

t.test('what decides about code, trust or the server cannot', async (t) => {
  const refused = [
    'NODE_OPTIONS', 'NPM_CONFIG_X', 'LD_PRELOAD', 'DYLD_X', 'PYTHONPATH', 'SSL_CERT_FILE', 'HTTPS_PROXY', 'NO_PROXY', 'OPENAI_BASE_URL',
    'ANTHROPIC_BASE_URL', 'PATH', 'HOME', 'SHELL', 'ENV', 'BASH_ENV', 'IFS', 'TMPDIR', 'TZ', 'AGENT_AUTH_ENABLED', 'FORCE_AUTH',
    'OAI_ADMIN_TOKEN', 'OAI_DATA_DIR', 'REDIS_URL', 'REDIS_HOST', 'DB_LOGGING_ENABLED', 'LOGGING_DB_PASSWORD', 'LOG_RETENTION_DAYS',
    'LOG_CONTENT', 'SPOOL_MAX_MB', 'RATE_LIMIT_CHAT', 'MAX_CONCURRENT_PER_TOKEN', 'MAX_MESSAGE_SIZE_BYTES', 'SESSION_TTL_SECONDS',
    'TRUSTED_PROXIES', 'LOG_LEVEL', 'PORT', 'CONFIG_ROOT',
  ];
  for (const name of refused) t.match(requestEnvProblem(name), /cannot be set by a request/, name);
});

t.test('names that a header has already cannot', async (t) => {
  const refused = [
    'AUTHORIZATION', 'COOKIE', 'HOST', 'X_API_KEY', 'API_TOKEN', 'X_FORWARDED_FOR', 'FORWARDED', 'X_REAL_IP', 'VIA', 'CONTENT_TYPE',
    'USER_AGENT', 'SEC_FETCH_SITE', 'ACCEPT', 'ACCEPT_LANGUAGE', 'IF_MATCH', 'TRACEPARENT', 'AGENT_REINITIALIZE', 'X_REQUEST_ID',
    'LAST_EVENT_ID', 'PROXY_AUTHORIZATION', 'DATE', 'RANGE', 'CF_CONNECTING_IP',
  ];
  for (const name of refused) t.match(requestEnvProblem(name), /HTTP header/, name);
});

t.test('what is no name of a variable cannot', async (t) => {
  for (const name of ['', 'lower', '1A', 'A-B', 'A'.repeat(65)]) t.match(requestEnvProblem(name), /not a name of a variable/, name);
});
