// The pages on access, on several machines and on running it: their examples run as they are shown, and what they name is there.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { ERRORS } from '../shared/errors.ts';
import { VARIABLES } from '../shared/variables.ts';
import { haproxyOrSkip } from './helpers/haproxy.ts';
import { chat, send, stream } from './helpers/http_client.ts';
import { anchorsOf, codeBlocksOf, linksOf } from './helpers/markdown.ts';
import { nginxOrSkip } from './helpers/nginx.ts';
import { PROJECT, runCommand, type StartedServer } from './helpers/process.ts';
import { freePort } from './helpers/programs.ts';
import { redisOrSkip } from './helpers/redis_server.ts';
import { endsCleanly, serve } from './helpers/serve.ts';
import { bearer, mint } from './helpers/tokens.ts';

const PAGES = ['docs/access.md', 'docs/machines.md', 'docs/deploy.md'];
const TEXTS = new Map(PAGES.map((page) => [page, readFileSync(join(PROJECT, page), 'utf8')]));
/** The blocks of one language, in the order of the page. */
const blocks = (page: string, language: string): string[] =>
  codeBlocksOf(TEXTS.get(page) ?? '').filter((block) => block.language === language).map(({ text }) => text);

const [PROXY = ''] = blocks('docs/access.md', 'nginx');
const [BY_ID = '', BY_COOKIE = ''] = blocks('docs/machines.md', 'nginx');
const ID = '6f1c2a4e-7d3b-4c9a-9f5e-2b8d0a1c3e5';

/** An example with the addresses of this test, and without TLS, which is not what it is about. */
function adapted(example: string, addresses: Readonly<Record<string, string>>): string {
  const plain = example.replace('listen 443 ssl;', 'listen 127.0.0.1:PORT;').replaceAll(/^ *ssl_\w+ .*;\n/gm, '');
  return Object.entries(addresses).reduce((text, [shown, real]) => text.replaceAll(shown, new URL(real).host), plain);
}

const behind = await serve(t, 'puppet', { env: { FORCE_AUTH: 'true', TRUSTED_PROXIES: '127.0.0.1', KEEP_ALIVE_SECONDS: '75' } });

t.test('the nginx of the page streams, lets large files through, and names its clients', async (t) => {
  const url = await nginxOrSkip(t, { http: adapted(PROXY, { '127.0.0.1:8000': behind.url }) });
  if (url === null) return;
  t.equal((await send(url, '/status')).status, 401);
  const headers = bearer((await mint(behind, { scopes: ['chat', 'agent'] })).token);
  const streamed = await stream(url, { message: 'say first\nhold page\nsay second' }, headers);
  await streamed.until('text');
  await chat(url, { message: 'release page' }, headers);
  t.match(await streamed.ended, /"firstsecond"/);
  const file = new FormData();
  file.append('message', 'say received');
  file.append('files', new Blob([new Uint8Array(20 * 1024 * 1024)]), 'large.bin');
  const { body, headers: typed } = new Request('http://localhost', { method: 'POST', body: file });
  const bytes = Buffer.from(await new Response(body).arrayBuffer());
  const uploaded = { method: 'POST', body: bytes, headers: { ...headers, 'content-type': typed.get('content-type') ?? '' } };
  t.match(await send(url, '/chat/with-files', uploaded), { status: 200, json: { response: 'received' } });
  t.equal((await send(url, '/chat/with-files', { ...uploaded, headers: { 'content-type': 'multipart/form-data; boundary=x' } })).status, 401);
});

t.test('its commands make and list tokens', async (t) => {
  const own = await serve(t, 'puppet');
  const commands = blocks('docs/access.md', 'console').flatMap((text) => [...text.matchAll(/^\$ npx oai-agent-server (.*)$/gm)]);
  t.ok(commands.length >= 3);
  for (const [, command = ''] of commands) {
    const words = [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, word]) => quoted ?? word ?? '');
    const { code, stdout, stderr } = await runCommand([...words, '--data-dir', own.dataDir]);
    t.equal(code, 0, `${command}: ${stderr}`);
    if (words[1] === 'create') t.match(stdout, /^oas_\w+\n$/);
  }
  await own.stop();
});

/** Two servers that share a Redis, as two machines would. */
async function twoMachines(t: Test): Promise<readonly [StartedServer, StartedServer] | null> {
  const redis = await redisOrSkip(t);
  if (redis === null) return null;
  const access = { FORCE_AUTH: 'true', OAI_ADMIN_TOKEN: 'the-same-on-both-machines', TRUSTED_PROXIES: '127.0.0.1' };
  const env = { ...access, REDIS_URL: redis.url, KEEP_ALIVE_SECONDS: '75' };
  return [await serve(t, 'puppet', { env }), await serve(t, 'puppet', { env })];
}

/** The page's own server block, with another upstream. */
const withUpstream = (upstream: string): string => upstream + PROXY.replace(/^upstream .*?^\}\n/ms, '');
const headers = bearer('the-same-on-both-machines');

/** How many interactions each has begun. */
const served = (machines: readonly StartedServer[]): Promise<number[]> =>
  Promise.all(machines.map(async ({ url }) => ((await send(url, '/status', { headers })).json['workers'] as [{ served: number }])[0].served));

/** Asks through a balancer of these machines, then kills the first of them. */
async function whoeverNamesItComesBack(t: Test, url: string, machines: readonly [StartedServer, StartedServer]): Promise<void> {
  const [one] = machines;
  const ids = Array.from({ length: 16 }, (_each, i) => ID + i.toString(16));
  for (const id of ids) {
    const body = { message: 'say hi', interaction_id: id, session_id: 'shared', user_id: 'ada' };
    t.equal((await chat(url, body, { ...headers, 'x-interaction-id': id })).status, 200);
    const again = await chat(url, body, { ...headers, 'x-interaction-id': id });
    t.match(again, { status: 409, json: { code: 'INTERACTION_EXISTS' } }, 'sent again it runs once');
    t.match(await send(url, `/chat/${id}`, { headers }), { status: 200, json: { status: 'success' } });
    t.equal((await send(url, `/chat/${id}/cancel`, { method: 'POST', headers })).status, 200);
    t.match((await send(url, `/chat/${id}/stream`, { headers })).text, /\[DONE\]/);
  }
  t.ok((await served(machines)).every((count) => count > 0), 'both had some of them');
  const { json } = await send(url, '/chat/sessions/shared', { headers });
  t.equal((json['items'] as unknown[]).length, 2 * ids.length, 'in one session');
  const before = await served(machines);
  for (let i = 0; i < 24; i += 1) await chat(url, { message: 'say hi' }, headers);
  t.ok((await served(machines)).every((count, i) => count > (before[i] ?? 0)), 'and what names none goes to either');
  one.process.kill('SIGKILL');
  await one.exited;
  for (const id of ids) {
    const { status } = await chat(url, { message: 'say hi' }, { ...headers, 'x-interaction-id': id });
    t.equal(status, 200, 'a machine that is gone is passed over');
  }
}

t.test('hashed by the interaction\'s id, whoever names it comes back to its machine', async (t) => {
  const machines = await twoMachines(t);
  if (machines === null) return;
  const [one, two] = machines;
  const url = await nginxOrSkip(t, { http: adapted(withUpstream(BY_ID), { '10.0.0.11:8000': one.url, '10.0.0.12:8000': two.url }) });
  if (url !== null) await whoeverNamesItComesBack(t, url, machines);
});

t.test('the balancer of deploy/ does the same', async (t) => {
  const machines = await twoMachines(t);
  if (machines === null) return;
  const [one, two] = machines;
  const url = `http://127.0.0.1:${await freePort()}`;
  const addresses = Object.entries({ ' :8000': url, ' 172.28.0.11:8000': one.url, ' 172.28.0.12:8000': two.url });
  const modest = readFileSync(join(PROJECT, 'deploy/haproxy.cfg'), 'utf8').replace(/maxconn \d+/, 'maxconn 200');
  const config = addresses.reduce((text, [shown, real]) => text.replace(`${shown}\n`, ` ${new URL(real).host}\n`), modest);
  if ((await haproxyOrSkip(t, { config, url })) !== null) await whoeverNamesItComesBack(t, url, machines);
});

t.test('by a cookie, a visitor stays with a machine', async (t) => {
  const machines = await twoMachines(t);
  if (machines === null) return;
  const [one, two] = machines;
  const url = await nginxOrSkip(t, { http: adapted(BY_COOKIE, { '10.0.0.11:8000': one.url, '10.0.0.12:8000': two.url }) });
  if (url === null) return;
  for (let visitor = 0; visitor < 24; visitor += 1) {
    const first = await chat(url, { message: 'say hi' }, headers);
    const [cookie = ''] = first.headers['set-cookie']?.[0]?.split(';') ?? [];
    t.match(cookie, /^machine=(one|two)$/);
    const known = { headers: { ...headers, cookie } };
    t.equal((await send(url, `/chat/${String(first.headers['x-interaction-id'] ?? first.json['interaction_id'])}`, known)).status, 200);
  }
  t.ok((await served(machines)).every((count) => count > 0), 'both had some of them');
});

t.test('what the pages name is there', async (t) => {
  const known = [...Object.keys(VARIABLES), ...Object.keys(ERRORS), 'NODE_EXTRA_CA_CERTS'];
  for (const [page, text] of TEXTS) {
    for (const [, name = ''] of text.matchAll(/\b([A-Z]+(?:_[A-Z]+)+)\b/g)) t.ok(known.includes(name), `${page}: ${name}`);
    for (const link of linksOf(text).filter((target) => !/^https?:/.test(target))) {
      const [path = '', anchor] = link.split('#');
      const file = path === '' ? join(PROJECT, page) : join(PROJECT, dirname(page), path);
      t.ok(existsSync(file), `${page}: ${link}`);
      if (anchor !== undefined) t.ok(anchorsOf(readFileSync(file, 'utf8')).includes(anchor), `${page}: ${link}`);
    }
  }
});

endsCleanly(t, behind);
