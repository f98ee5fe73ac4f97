// The server as a real browser meets it: pages of others reach nothing of it, its own pages work, and so do those of ALLOWED_ORIGINS.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import t from 'tap';
import { chromiumOrSkip } from './helpers/chromium.ts';
import { send, type Json } from './helpers/http_client.ts';
import { uploadedPaths } from './helpers/multipart.ts';
import { PROJECT, type StartedServer } from './helpers/process.ts';
import { endsCleanly, serve } from './helpers/serve.ts';
import { adminTokenOf, bearer, mint } from './helpers/tokens.ts';

/** Lead to 127.0.0.1, as names do whose server of names is the attacker's. */
const NAMES = ['evil.test', 'rebound.test', 'app.test'];
const ATTACK = readFileSync(join(PROJECT, 'test/fixtures/pages/attack.js'), 'utf8');
const STOLEN = { interactionId: '5701e500-0000-4000-8000-000000000000', sessionId: 'stolen' };

/** Pages of others: an empty one, and one that sends on whatever it was sent. */
const others = createServer((request, response) => {
  const to = new URL(request.url ?? '', 'http://localhost').searchParams.get('to');
  request.resume();
  if (to !== null) response.writeHead(307, { location: to }).end();
  else response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>a page</title><body>');
});
await new Promise<void>((resolve) => others.listen(0, '127.0.0.1', resolve));
const pagePort = (others.address() as AddressInfo).port;
const APP = `http://app.test:${pagePort}`;
const EVIL = `http://evil.test:${pagePort}`;

/** Asks nobody of this machine for a token. */
const server = await serve(t, 'puppet');
// Without the mode of /kill, which these pages try as well: it would be gone before it could be asked what they did.
const unguarded = await serve(t, 'puppet', { args: ['--allowed-modes', 'chat', 'logs', 'tokens', 'health'], env: { AGENT_AUTH_ENABLED: 'false' } });
const listing = await serve(t, 'puppet', { env: { ALLOWED_ORIGINS: APP } });
const open = await serve(t, 'puppet', { env: { ALLOWED_ORIGINS: '*' } });

interface Seen {
  readonly name: string;
  readonly status: number;
  readonly text: string;
}

/** Opens the page and lets it try everything. @returns what it could read */
async function attack(page: Page, at: string, base: string, redirect: string | null = null): Promise<readonly Seen[]> {
  await page.goto(at);
  return page.evaluate(`${ATTACK}\nattack(${JSON.stringify({ base, redirect, ...STOLEN })})`);
}

const portOf = ({ url }: StartedServer): string => new URL(url).port;
const isOpenRoute = (route: string): boolean => ['/', '/health', '/ready', '/docs', '/openapi.json', '/docs/{file}', ''].includes(route);

/** How many requests the handlers of routes that are not open have answered, by method and path, this one included. */
async function handled({ url }: StartedServer): Promise<Readonly<Record<string, number>>> {
  const { text } = await send(url, '/metrics');
  const counts: Record<string, number> = { 'GET /metrics': 1 };
  const lines = text.matchAll(/^oai_http_responses_total\{method="(\w*)",route="([^"]*)",status="(\d+)"\} (\d+)$/gm);
  for (const [, method, route = '', status = '', count] of lines) {
    const wasRefused = ['401', '403', '404', '405'].includes(status);
    if (!wasRefused && !isOpenRoute(route)) counts[`${method} ${route}`] = (counts[`${method} ${route}`] ?? 0) + Number(count);
  }
  return counts;
}

/** What was done for whoever asked: interactions, tokens, sessions, files. */
async function done(server: StartedServer): Promise<Json> {
  const headers = bearer(await adminTokenOf(server));
  const { json } = await send(server.url, '/status', { headers });
  return {
    served: (json['workers'] as { served: number }[]).map(({ served }) => served),
    active: json['active_requests'],
    tokens: (await send(server.url, '/tokens', { headers })).json['tokens'],
    session: (await send(server.url, `/chat/sessions/${STOLEN.sessionId}`, { headers })).status,
    interaction: (await send(server.url, `/chat/${STOLEN.interactionId}`, { headers })).status,
    uploads: await uploadedPaths(server),
  };
}
const NOTHING = { served: [0], active: 0, tokens: [], session: 404, interaction: 404, uploads: [] };

t.test('a page of another site reaches no handler, by whatever name it calls this machine, and reads nothing', async (t) => {
  const browser = await chromiumOrSkip(t, { names: NAMES });
  if (browser === null) return;
  const page = await browser.newPage();
  for (const host of ['127.0.0.1', 'localhost', '0.0.0.0']) {
    const before = await handled(server);
    const seen = await attack(page, `${EVIL}/`, `http://${host}:${portOf(server)}`, `${EVIL}/?to=`);
    t.strictSame(seen, [], host);
    const after = await handled(server);
    t.strictSame(after, { ...before, 'GET /metrics': (before['GET /metrics'] ?? 0) + 1 }, `${host}: nothing but this count itself was asked`);
  }
  await page.goto(`${EVIL}/`);
  const [answer] = await Promise.all([page.waitForResponse(`${server.url}/status`), page.evaluate(`location.href = '${server.url}/status'`)]);
  t.equal(answer.status(), 401, 'nor by leading its visitor there');
  t.strictSame(await done(server), NOTHING);
});

t.test('a page whose name was bound to this machine anew is told that it needs a token', async (t) => {
  const browser = await chromiumOrSkip(t, { names: NAMES });
  if (browser === null) return;
  // An open route's answer: what runs in it has the same origin as the page that was there before.
  const rebound = `http://rebound.test:${portOf(server)}`;
  const before = await handled(server);
  const seen = await attack(await browser.newPage(), `${rebound}/health`, rebound);
  t.ok(seen.length > 50, 'it can read what it is told');
  const refused = { status: /^40[145]$/, text: /"code":"(UNAUTHORIZED|NOT_FOUND|METHOD_NOT_ALLOWED)"/ };
  for (const { name, status, text } of seen) t.match({ status, text }, refused, name);
  t.strictSame(await handled(server), { ...before, 'GET /metrics': (before['GET /metrics'] ?? 0) + 1 });
  t.strictSame(await done(server), NOTHING);
});

t.test('a page of another server of this machine starts nothing and reads nothing', async (t) => {
  const browser = await chromiumOrSkip(t, { names: NAMES });
  if (browser === null) return;
  for (const host of ['localhost', '127.0.0.1']) {
    const own = `http://${host}:${pagePort}`;
    const seen = await attack(await browser.newPage(), `${own}/`, `http://${host}:${portOf(server)}`, `${own}/?to=`);
    t.strictSame(seen, [], host);
  }
  t.strictSame(await done(server), NOTHING);
});

t.test('what these pages try does get into a server that asks nobody', async (t) => {
  const browser = await chromiumOrSkip(t, { names: NAMES });
  if (browser === null) return;
  await attack(await browser.newPage(), `${EVIL}/`, unguarded.url, `${EVIL}/?to=`);
  t.ok(Object.keys(await handled(unguarded)).length > 5);
  const { json } = await send(unguarded.url, '/status');
  t.ok((json['workers'] as { served: number }[]).some(({ served }) => served > 0), 'an agent has run');
});

t.test('the server\'s own pages load under their policy, and Swagger UI can ask the agent', async (t) => {
  const browser = await chromiumOrSkip(t, { names: NAMES });
  if (browser === null) return;
  for (const host of ['127.0.0.1', 'localhost']) {
    const own = `http://${host}:${portOf(server)}`;
    const page = await browser.newPage();
    const complaints = watch(page, own);
    await page.goto(`${own}/`);
    t.equal(await page.locator('h1').textContent(), 'puppet');
    await page.getByRole('link', { name: 'API documentation' }).click();
    const operation = page.locator('#operations-chat-post_chat');
    await operation.locator('.opblock-summary').click();
    await operation.locator('textarea').fill('{"message": "say hello to the browser"}');
    await operation.getByRole('button', { name: 'Execute' }).click();
    const answered = operation.locator('.live-responses-table .response');
    await answered.waitFor();
    t.match(await answered.locator('.response-col_status').textContent(), /^200/);
    t.match(await answered.locator('.response-col_description').textContent(), 'hello to the browser');
    t.strictSame(complaints, []);
    await page.close();
  }
});

/** @returns what goes against the page's policy, fails in it or leaves its origin, as it happens */
function watch(page: Page, origin: string): readonly string[] {
  const complaints: string[] = [];
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('requestfailed', (request) => complaints.push(`${request.url()} failed`));
  page.on('request', (request) => {
    const url = request.url();
    if (!/^(data|blob):/.test(url) && !url.startsWith(`${origin}/`)) complaints.push(`${url} was asked`);
  });
  return complaints;
}

/** Sends JSON from the page that is open. @returns what the page can read; `error` where it may not */
function ask(page: Page, url: string, headers: Readonly<Record<string, string>>): Promise<Json> {
  const sent = { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: '{"message":"say hi"}' };
  const names = ['x-interaction-id', 'x-session-id', 'x-request-id'];
  return page.evaluate(`fetch(${JSON.stringify(url)}, ${JSON.stringify(sent)}).then(
    async (answer) => {
      const told = ${JSON.stringify(names)}.filter((name) => answer.headers.has(name));
      return { status: answer.status, text: await answer.text(), told };
    },
    (error) => ({ error: String(error) }),
  )`);
}

t.test('a page of an origin in ALLOWED_ORIGINS uses the API with a token, and no other page does', async (t) => {
  const browser = await chromiumOrSkip(t, { names: NAMES });
  if (browser === null) return;
  const headers = bearer((await mint(listing, { scopes: ['chat'] })).token);
  const page = await browser.newPage();
  await page.goto(`${APP}/`);
  t.match(await ask(page, `${listing.url}/chat`, headers), { status: 200, text: /"response":"hi"/ });
  const streamed = await ask(page, `${listing.url}/chat/stream`, headers);
  t.match(streamed, { status: 200, text: /\[DONE\]/, told: ['x-interaction-id', 'x-session-id', 'x-request-id'] });
  t.match(await ask(page, `${listing.url}/chat`, {}), { status: 401, text: /UNAUTHORIZED/ }, 'without a token it can read why not');
  t.match(await ask(page, `${server.url}/chat`, headers), { error: /Failed to fetch/ }, 'of a server that does not list it, nothing');
  const before = await handled(listing);
  for (const origin of [EVIL, `http://app.test:${portOf(server)}/health`, `http://localhost:${pagePort}`]) {
    await page.goto(origin);
    t.match(await ask(page, `${listing.url}/chat`, headers), { error: /Failed to fetch/ }, origin);
  }
  t.strictSame(await handled(listing), { ...before, 'GET /metrics': (before['GET /metrics'] ?? 0) + 1 }, 'nothing of it was done');
});

t.test('with ALLOWED_ORIGINS=* any page may use the API, and each needs a token', async (t) => {
  const browser = await chromiumOrSkip(t, { names: NAMES });
  if (browser === null) return;
  const headers = bearer((await mint(open, { scopes: ['chat'] })).token);
  const page = await browser.newPage();
  for (const origin of [EVIL, `http://localhost:${pagePort}`]) {
    await page.goto(origin);
    t.match(await ask(page, `${open.url}/chat`, headers), { status: 200, text: /"response":"hi"/ }, origin);
    t.match(await ask(page, `${open.url}/chat`, {}), { status: 401 }, origin);
  }
});

t.test('the pages of others are gone', async () => {
  others.closeAllConnections();
  await new Promise((resolve) => others.close(resolve));
});

endsCleanly(t, server, unguarded, listing, open);
