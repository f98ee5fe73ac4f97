// `tokens`: through the server that runs, or in the data directory of one that does not; and the admin token goes nowhere else.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { makeFolder } from '../helpers/folder.ts';
import { chat, send } from '../helpers/http_client.ts';
import { nothingIsLeft } from '../helpers/leftovers.ts';
import { LAUNCHER, runCommand, spawnProcess } from '../helpers/process.ts';
import { bearer } from '../helpers/tokens.ts';
import { waitFor } from '../helpers/wait_for.ts';

const AGENT = 'export default async function* ({ message }, { userId }) { yield `${userId}: ${message}`; }\n';
const TOKEN = /^oas_([0-9A-Za-z]{16})_[0-9A-Za-z]{32}\n$/;

type Variables = Readonly<Record<string, string>>;

async function makeProject(t: Test): Promise<string> {
  return makeFolder(t, { 'agents/echo.mjs': AGENT });
}

async function serveIn(t: Test, cwd: string, env: Variables = {}, args: readonly string[] = []) {
  const words = ['echo', '--host', '127.0.0.1', '--port', '0', '--workers', '1', ...args];
  const { process: child, output, exited } = spawnProcess(process.execPath, [LAUNCHER, ...words], { cwd, env: { FORCE_AUTH: 'true', ...env } });
  t.teardown(() => child.kill('SIGKILL'));
  const url = await waitFor('the ready line', () => / ready on (http:\S+)/.exec(output.stdout)?.[1], 30_000);
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    t.strictSame(await exited, { code: 0, signal: null });
  };
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  return { url, output, stop, kill };
}

const run = (cwd: string, words: string, env: Variables = {}) => runCommand(['tokens', ...words.split(' ')], { cwd, env });

async function create(t: Test, cwd: string, words = '', env: Variables = {}): Promise<string> {
  const { code, stdout, stderr } = await run(cwd, `create ${words}`.trim(), env);
  t.equal(code, 0, stderr);
  t.match(stdout, TOKEN, 'the token stands alone on stdout');
  return stdout.trim();
}

const listed = async (cwd: string, words = '--json') =>
  JSON.parse((await run(cwd, `list ${words}`)).stdout) as { total: number; tokens: { id: string; name: string }[] };
const idOf = (token: string): string => token.split('_')[1] ?? '';

t.test('through the running server, which is found by its data directory', async (t) => {
  const cwd = await makeProject(t);
  const { url, stop } = await serveIn(t, cwd);
  const made = await runCommand(
    ['tokens', 'create', '--user-id', 'Zoë', '--scopes', 'chat', 'agent', '--name', 'my laptop', '--ttl', '30d'], { cwd }
  );
  t.match(
    made,
    { code: 0, stdout: TOKEN, stderr: /^oai-agent-server: token \w{16} of user Zoë, scopes chat agent, expires \S+Z; it is not shown again\n$/ },
  );
  const token = made.stdout.trim();
  t.match((await chat(url, { message: 'hi' }, bearer(token))).json, { response: 'Zoë: hi' });
  const service = await create(t, cwd);
  t.match((await chat(url, { message: 'hi', user_id: 'bob' }, bearer(service))).json, { response: 'bob: hi' });

  const table = (await run(cwd, 'list')).stdout.trimEnd().split('\n');
  t.equal(table.length, 3);
  const [head = '', first = '', second = ''] = table;
  t.match(first, new RegExp(`^${idOf(token)}  my laptop  Zoë   chat agent  \\S{20}  \\S{20}  \\S{20}  1$`));
  t.match(second, new RegExp(`^${idOf(service)}  -          -     chat        \\S{20}  -                     \\S{20}  1$`));
  for (const column of ['NAME', 'USER', 'SCOPES', 'USES']) t.ok(head.includes(column));
  t.equal(head.indexOf('USES'), first.lastIndexOf('1'), 'its columns are aligned');
  t.match(await listed(cwd), { total: 2, tokens: [{ id: idOf(token), name: 'my laptop', use_count: 1 }, { id: idOf(service), user_id: null }] });

  t.match(await run(cwd, `revoke ${idOf(token)}`), { code: 0, stdout: '', stderr: `oai-agent-server: token ${idOf(token)} is revoked\n` });
  t.equal((await chat(url, { message: 'hi' }, bearer(token))).status, 401);
  t.match(await run(cwd, `revoke ${service}`), { code: 0 }, 'the token itself names it, too');
  t.match(
    await run(cwd, `revoke ${idOf(token)}`),
    { code: 1, stdout: '', stderr: `oai-agent-server: ${url} refuses: There is no such token. (TOKEN_NOT_FOUND)\n` },
  );
  await stop();
});

t.test('without a server, in its data directory, with the same outcome', async (t) => {
  const cwd = await makeProject(t);
  await (await serveIn(t, cwd)).stop();
  const [kept, gone] = [await create(t, cwd, '--user-id ada --name kept'), await create(t, cwd)];
  t.match(await run(cwd, `revoke ${idOf(gone)}`), { code: 0, stderr: `oai-agent-server: token ${idOf(gone)} is revoked\n` });
  t.match(await run(cwd, `revoke ${idOf(gone)}`), { code: 1, stderr: 'oai-agent-server: There is no such token.\n' });
  t.match(await listed(cwd), { total: 1, tokens: [{ id: idOf(kept), name: 'kept', user_id: 'ada', use_count: 0 }] });
  const { url, output, stop } = await serveIn(t, cwd);
  t.match(output.stdout, /^tokens: 1; the admin token is in \.oai-agent-server\/echo\/admin-token \(OAI_ADMIN_TOKEN\)$/m);
  t.match((await chat(url, { message: 'hi' }, bearer(kept))).json, { response: 'ada: hi' });
  t.equal((await chat(url, { message: 'hi' }, bearer(gone))).status, 401);
  await stop();
});

t.test('a data directory that is named may be made by the first token, before any server', async (t) => {
  const cwd = await makeProject(t);
  t.match(
    await run(cwd, 'list --data-dir data'),
    { code: 1, stderr: 'oai-agent-server: there are no tokens in data: it is no data directory of a server\n' },
  );
  await t.rejects(stat(join(cwd, 'data')));
  const token = await create(t, cwd, '--data-dir data');
  t.equal((await stat(join(cwd, 'data'))).mode & 0o777, 0o700);
  const { url, stop } = await serveIn(t, cwd, { OAI_DATA_DIR: 'data' });
  t.equal((await chat(url, { message: 'hi' }, bearer(token))).status, 200);
  t.equal((await listed(cwd, '--json --data-dir=data')).total, 1, 'found while it runs');
  await stop();
});

t.test('which server or directory is meant has to be clear', async (t) => {
  const cwd = await makeProject(t);
  t.match(
    await run(cwd, 'list'),
    {
      code: 1, stderr: /^oai-agent-server: no server runs here, and there is no data directory below \.oai-agent-server: name one with --data-dir, /,
    },
  );
  await create(t, cwd, '--data-dir .oai-agent-server/one');
  t.equal((await listed(cwd)).total, 1);
  await create(t, cwd, '--data-dir .oai-agent-server/two');
  t.match(await run(cwd, 'list'), { code: 1, stderr: /there are several data directories: name one with --data-dir: \S+\/one, \S+\/two\n$/ });
});

t.test('the admin token of the server\'s start counts, also from .env', async (t) => {
  const cwd = await makeProject(t);
  const admin = { OAI_ADMIN_TOKEN: 'chosen-by-the-operator' };
  const { url, stop } = await serveIn(t, cwd, admin);
  t.match(
    await run(cwd, 'list'),
    { code: 1, stderr: /^oai-agent-server: there is no admin token in \S+: set OAI_ADMIN_TOKEN to the one that the server was started with\n$/ },
  );
  t.match(
    await run(cwd, 'list', { OAI_ADMIN_TOKEN: 'another-one-than-that' }),
    { code: 1, stderr: `oai-agent-server: ${url} refuses: A valid token is required. (UNAUTHORIZED)\n` },
  );
  await create(t, cwd, '', admin);
  await writeFile(join(cwd, '.env'), 'OAI_ADMIN_TOKEN=chosen-by-the-operator\n');
  t.equal((await listed(cwd)).total, 1);
  await stop();
});

t.test('a wrong admin token ends the start, and is not shown', async (t) => {
  const cwd = await makeProject(t);
  const { code, stdout, stderr } = await runCommand(['echo', '--port', '0'], { cwd, env: { OAI_ADMIN_TOKEN: 'too-short' } });
  t.strictSame({ code, stdout, stderr }, {
    code: 78, stdout: '', stderr: 'oai-agent-server: OAI_ADMIN_TOKEN: expected from 16 to 256 characters of ASCII without spaces, got 9 characters\n',
  });
  t.match(
    await runCommand(['check', 'echo'], { cwd, env: { OAI_ADMIN_TOKEN: 'one-that-is-long-enough' } }),
    { code: 0, stdout: /^((?!long-enough)[^])*OAI_ADMIN_TOKEN = \*\*\*/ },
  );
});

/** Tells who asked it, and with what. */
async function startListener(t: Test, host: string) {
  const seen: string[] = [];
  const listener = createServer((request, response) => {
    seen.push(JSON.stringify(request.rawHeaders));
    response.writeHead(307, { Location: 'http://127.0.0.1:1/' }).end();
  });
  await once(listener.listen(0, host), 'listening');
  t.teardown(() => listener.close());
  return { seen, port: (listener.address() as AddressInfo).port };
}

t.test('the admin token is sent to this machine or to the directory\'s server, else none but OAI_TOKEN', async (t) => {
  const cwd = await makeProject(t);
  const { url, stop } = await serveIn(t, cwd);
  const { port } = new URL(url);
  const token = (await readFile(join(cwd, '.oai-agent-server/echo/admin-token'), 'utf8')).trim();
  for (const own of [url, `http://localhost:${port}`, `http://127.0.0.1:${port}/`]) {
    t.match(await run(cwd, `list --json --url ${own}`), { code: 0, stdout: /^\{"total":0,/ }, own);
  }

  for (const other of [
    'http://example.test', 'http://127.0.0.1.example.test', 'https://localhost.example.test:8000', 'http://0.0.0.0:8000', 'http://[::]:8000',
    'http://192.0.2.1',
  ]) {
    t.match(
      await run(cwd, `list --url ${other}`),
      { code: 1, stderr: /is neither on this machine nor the server of the data directory, so it is not sent the admin token: set OAI_TOKEN/ },
      other,
    );
  }
  const { seen, port: there } = await startListener(t, '127.0.0.1');
  t.match(await run(cwd, `list --url http://127.0.0.1:${there}`), { code: 1, stderr: /refuses: status 307\n$/ }, 'and it follows no redirect');
  t.match(await run(cwd, `list --url http://0.0.0.0:${there}`, { OAI_TOKEN: 'a-token-for-there' }), { code: 1 });
  const sent = seen.map((fields) => [fields.includes(`Bearer ${token}`), fields.includes('Bearer a-token-for-there')]);
  t.strictSame(sent, [[true, false], [false, true]]);
  await stop();
});

t.test('a stale server.json whose address somebody else has taken is sent nothing', async (t) => {
  const cwd = await makeProject(t);
  await (await serveIn(t, cwd)).stop();
  const { seen, port } = await startListener(t, '127.0.0.1');
  // As a killed server leaves it, its process id given to another process meanwhile.
  const stale = { pid: process.pid, url: `http://127.0.0.1:${port}`, agent: 'echo' };
  await writeFile(join(cwd, '.oai-agent-server/echo/server.json'), JSON.stringify(stale));
  await create(t, cwd);
  t.strictSame(seen, []);
});

t.test('a server that cannot be reached, or does not serve yet, is told of', async (t) => {
  const cwd = await makeProject(t);
  const { stop } = await serveIn(t, cwd);
  t.match(await run(cwd, 'list --url http://127.0.0.1:1'), { code: 1, stderr: 'oai-agent-server: cannot reach http://127.0.0.1:1: ECONNREFUSED\n' });
  await rm(join(cwd, '.oai-agent-server/echo/server.json'));
  t.match(await run(cwd, 'list'), { code: 1, stderr: /is in use by the server with pid \d+, which does not serve just now: try again\n$/ });
  await stop();
});

t.test('a mode that is left out has no tokens over HTTP', async (t) => {
  const cwd = await makeProject(t);
  const { stop } = await serveIn(t, cwd, {}, ['--allowed-modes', 'chat', 'health']);
  t.match(
    await run(cwd, 'list'),
    { code: 1, stderr: /refuses: This path belongs to the mode tokens, which is not among --allowed-modes\. \(MODE_NOT_ALLOWED\)\n$/ },
  );
  await stop();
});

t.test('the admin token is made once, and tokens outlive a stop and a kill', async (t) => {
  const cwd = await makeProject(t);
  const read = () => readFile(join(cwd, '.oai-agent-server/echo/admin-token'), 'utf8');
  const first = await serveIn(t, cwd);
  const admin = await read();
  t.notMatch(first.output.stdout, admin.trim(), 'it is shown to a terminal only');
  const token = await create(t, cwd);
  await chat(first.url, { message: 'hi' }, bearer(token));
  await first.stop();
  const second = await serveIn(t, cwd);
  t.equal(await read(), admin);
  t.equal((await send(second.url, '/tokens', { headers: bearer(admin.trim()) })).json['total'], 1);
  t.equal((await chat(second.url, { message: 'hi' }, bearer(token))).status, 200);
  t.match(await listed(cwd), { tokens: [{ use_count: 2 }] }, 'uses that were not written yet are written at the stop');
  const later = await create(t, cwd);
  await second.kill();
  const third = await serveIn(t, cwd);
  for (const each of [token, later]) t.equal((await chat(third.url, { message: 'hi' }, bearer(each))).status, 200);
  await third.stop();
});

t.test('chat sends OAI_TOKEN', async (t) => {
  const cwd = await makeProject(t);
  const { stop } = await serveIn(t, cwd);
  const token = await create(t, cwd, '--user-id ada');
  t.match(await runCommand(['chat'], { cwd, stdin: 'hi\n' }), { code: 1, stderr: /A valid token is required\. \(UNAUTHORIZED\)/ });
  t.match(await runCommand(['chat'], { cwd, stdin: 'hi\n', env: { OAI_TOKEN: token } }), { code: 0, stdout: 'ada: hi\n', stderr: '' });
  await stop();
});

nothingIsLeft(t);
