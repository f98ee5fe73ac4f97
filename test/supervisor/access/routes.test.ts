// Every route of the table, against every way in which a request may not be let in: the right answer, and its handler never runs.
import { join } from 'node:path';
import { pino } from 'pino';
import t from 'tap';
import { MODES, type Config } from '../../../shared/config.ts';
import { Secret } from '../../../shared/secret.ts';
import { createAuthentication, type Authenticate } from '../../../supervisor/access/authentication.ts';
import { ADMIN } from '../../../supervisor/access/caller.ts';
import { Limits } from '../../../supervisor/access/limits.ts';
import { LiveTokens } from '../../../supervisor/access/live_tokens.ts';
import { impliedScopes, SCOPES, type Scope } from '../../../supervisor/access/scopes.ts';
import { digestOf, makeToken } from '../../../supervisor/access/token_form.ts';
import { Tokens } from '../../../supervisor/access/tokens.ts';
import type { App } from '../../../supervisor/app.ts';
import { sendEmpty } from '../../../supervisor/http/context.ts';
import { createHttpServer } from '../../../supervisor/http/server.ts';
import { UPLOAD_LIMITS } from '../../../supervisor/uploads/limits.ts';
import type { Route } from '../../../supervisor/routes/route.ts';
import { routeTable } from '../../../supervisor/routes/table.ts';
import { openEmbeddedStore } from '../../../supervisor/store/embedded.ts';
import { memoryLimits } from '../../../supervisor/store/limits_memory.ts';
import { makeFolder } from '../../helpers/folder.ts';
import { send, type Answer } from '../../helpers/http_client.ts';
import { nothingIsLeft } from '../../helpers/leftovers.ts';
import { waitFor } from '../../helpers/wait_for.ts';

const CONFIG = {
  agent: 'a', authEnabled: true, authForced: true, allowedOrigins: [], allowedModes: new Set(MODES), keepAliveMs: 1000, maxMessageBytes: 1000,
  trustedProxies: [], chatRateLimit: { count: 1, windowMs: 60_000 }, maxConcurrentPerToken: null, adminToken: new Secret(null), redis: null, logging: null,
} as unknown as Config;
const ADMIN_TOKEN = 'the-admin-token-of-this-test';
/** Values for the parameters of paths. */
const EXAMPLES: Readonly<Record<string, string>> = { interaction_id: '11111111-2222-4333-8444-555555555555' };

const embedded = openEmbeddedStore(join(await makeFolder(t), 'state.db'));
const log = pino({ level: 'silent' });
const live = new LiveTokens();
const tokens = new Tokens({ store: embedded.tokens, adminDigest: digestOf(ADMIN_TOKEN), log, tokenEnd: live.endOf, onRevoked: (id) => live.revoke(id) });
const refusals: number[] = [];
const freshAuthentication = (): Authenticate =>
  createAuthentication({ config: CONFIG, tokens, live, onRefused: (status) => void refusals.push(status) });

const app = { config: CONFIG, tokens, uploads: { limits: UPLOAD_LIMITS } } as unknown as App;
const ran: string[] = [];
const table = routeTable(app).map((route): Route => ({
  ...route,
  handle: ({ response }) => {
    ran.push(nameOf(route));
    sendEmpty(response, 204);
  },
}));
let authenticate = freshAuthentication();
let limits = new Limits(CONFIG, memoryLimits());
const http = createHttpServer({
  config: CONFIG,
  routes: table,
  authenticate: (...of) => authenticate(...of),
  limits: { rate: (...of) => limits.rate(...of) },
  log,
  onResponse: () => undefined,
});
const url = `http://127.0.0.1:${await http.listen({ port: 0, host: '127.0.0.1' })}`;

function nameOf({ method, path }: Route): string {
  return `${method} ${path}`;
}

function ask(route: Route, headers: Readonly<Record<string, string>>): Promise<Answer> {
  const path = route.path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => EXAMPLES[name] ?? 'one');
  return send(url, path, { method: route.method, headers });
}

const made = async (scopes: readonly Scope[], ttlMs: number | null = null): Promise<string> =>
  (await tokens.create({ scopes, userId: 'alice', name: null, ttlMs }, ADMIN)).token;

const valid = await made(['admin']);
const revoked = await made(['admin']);
await tokens.revoke(revoked.split('_')[1] ?? '', ADMIN);
const expired = await made(['admin'], 1);
await waitFor('it to expire', () => tokens.check(expired) === null);
const wrong = valid.slice(0, -1) + (valid.endsWith('a') ? 'b' : 'a');

/** Each with the status that it is refused with. */
const REFUSED: Readonly<Record<string, readonly [status: number, headers: Readonly<Record<string, string>>]>> = {
  'no token': [401, {}],
  'an unknown token': [401, { authorization: `Bearer ${makeToken().token}` }],
  'a wrong secret': [401, { authorization: `Bearer ${wrong}` }],
  'an expired token': [401, { 'x-api-key': expired }],
  'a revoked token': [401, { 'api-token': revoked }],
  'no token at all': [401, { api_token: 'oas' }],
  'a token in the query': [401, {}],
  'another scheme': [401, { authorization: `Basic ${Buffer.from(`a:${valid}`).toString('base64')}` }],
  'the token without its scheme': [401, { authorization: valid }],
  'two credentials': [400, { authorization: `Bearer ${valid}`, 'x-api-key': valid }],
};

t.test('the table has the routes of all modes that there are, and each row a mode and a scope', async (t) => {
  t.ok(table.length > 15);
  for (const route of table) t.ok(['always', ...MODES].includes(route.mode) && ['open', ...SCOPES].includes(route.scope), nameOf(route));
  const open = table.filter(({ scope }) => scope === 'open').map(({ path }) => path);
  t.strictSame(open.toSorted(), ['/', '/docs', '/docs/{file}', '/health', '/openapi.json', '/ready'], 'these and no other are open');
});

for (const route of table) {
  const { scope } = route;
  if (scope === 'open') {
    t.test(`${nameOf(route)} is open, whatever is sent`, async (t) => {
      for (const [name, [, headers]] of Object.entries(REFUSED)) {
        ran.length = 0;
        t.equal((await ask(route, headers)).status, 204, name);
        t.strictSame(ran, [nameOf(route)], name);
      }
    });
    continue;
  }
  t.test(`${nameOf(route)} asks for ${scope}`, async (t) => {
    authenticate = freshAuthentication();
    limits = new Limits(CONFIG, memoryLimits());
    ran.length = 0;
    refusals.length = 0;
    for (const [name, [status, headers]] of Object.entries(REFUSED)) {
      const query = name === 'a token in the query' ? `?token=${valid}&api_token=${valid}` : '';
      const answer = await ask({ ...route, path: route.path + query }, headers);
      t.equal(answer.status, status, name);
      t.equal(answer.headers['www-authenticate'], status === 401 ? 'Bearer' : undefined, name);
    }
    t.strictSame(refusals, Object.values(REFUSED).map(([status]) => status));
    const others = SCOPES.filter((each) => !impliedScopes([each]).has(scope));
    if (others.length > 0) {
      const small = await made(others);
      t.match(
        await ask(route, { authorization: `Bearer ${small}` }),
        { status: 403, json: { code: 'FORBIDDEN', detail: `The token lacks the scope ${scope}, which this route asks for.` } },
      );
    }
    t.strictSame(ran, [], 'its handler never ran');
    for (const token of [await made([scope]), valid, ADMIN_TOKEN]) {
      ran.length = 0;
      t.equal((await ask(route, { 'x-api-key': token })).status, 204);
      t.strictSame(ran, [nameOf(route)]);
    }
  });
}

t.test('only requests that start an interaction are counted, and only once they have passed their scope', async (t) => {
  authenticate = freshAuthentication();
  const limited = table.filter((route) => route.limited === true);
  t.strictSame(limited.map(nameOf), ['POST /chat', 'POST /chat/with-files', 'POST /chat/stream', 'POST /chat/stream/with-files']);
  const chatter = { authorization: `Bearer ${await made(['chat'])}` };
  const reader = { authorization: `Bearer ${await made(['agent'])}` };
  for (const route of limited) {
    limits = new Limits(CONFIG, memoryLimits());
    for (const [headers, status] of [[{}, 401], [reader, 403], [reader, 403], [chatter, 204], [chatter, 429], [reader, 403]] as const) {
      const answer = await ask(route, headers);
      t.equal(answer.status, status, nameOf(route));
      t.equal(answer.headers['ratelimit-limit'], status === 204 || status === 429 ? '1' : undefined);
    }
    t.ok(route.errors.includes('RATE_LIMITED'));
  }
  for (const route of table.filter((each) => !limited.includes(each))) {
    const answer = await ask(route, { 'x-api-key': valid });
    t.match([answer.status, answer.headers['ratelimit-limit']], [204, undefined], nameOf(route));
  }
});

t.test('what is wrong with a token cannot be told from the answer', async (t) => {
  authenticate = freshAuthentication();
  const route = table.find(({ path }) => path === '/status') as Route;
  const answers = [];
  for (const credential of [makeToken().token, wrong, expired, revoked, 'nonsense', '']) {
    const { status, headers, text } = await ask(route, { 'x-api-key': credential, 'x-request-id': 'same' });
    const { date: _date, ...told } = headers;
    answers.push(JSON.stringify({ status, told, text }));
  }
  t.equal(new Set(answers).size, 1, answers[0] ?? '');
});

t.test('beyond its budget an address that guesses is told to wait, and a valid token from there is still taken', async (t) => {
  authenticate = freshAuthentication();
  const route = table.find(({ path }) => path === '/status') as Route;
  for (let i = 0; i < 100; i += 1) t.equal((await ask(route, { 'x-api-key': makeToken().token })).status, 401);
  for (const credential of [makeToken().token, wrong, revoked, 'x', '']) {
    const { status, headers, json } = await ask(route, { 'x-api-key': credential });
    t.match({ status, code: json['code'], retry: headers['retry-after'] }, { status: 429, code: 'RATE_LIMITED', retry: /^[1-9]\d?$/ });
  }
  t.equal((await ask(route, {})).status, 401, 'no credential is none that fails');
  for (const token of [valid, ADMIN_TOKEN]) t.equal((await ask(route, { authorization: `Bearer ${token}` })).status, 204);
});

t.test('nothing is followed any more when all is answered', async () => {
  await waitFor('the last answer to be over', () => live.size === 0);
});

t.test('the server ends', async (t) => {
  const closed = http.close();
  http.destroy();
  await closed;
  live.close();
  await tokens.close();
  embedded.close();
  nothingIsLeft(t);
});
