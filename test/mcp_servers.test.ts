// MCP servers of a declarative agent behind the real server: its workers hold them, its callers use them, and none outlives it.
import t from 'tap';
import { startMcpHttpServer } from './fixtures/mcp/http_server.ts';
import { makeFolder } from './helpers/folder.ts';
import { chat, send, stream } from './helpers/http_client.ts';
import { nothingIsLeft } from './helpers/leftovers.ts';
import { PROJECT, runCommand, type StartedServer } from './helpers/process.ts';
import { commandOf, descendantsOf, isAlive } from './helpers/processes.ts';
import { serve } from './helpers/serve.ts';
import { settledWorkers } from './helpers/server_status.ts';
import { waitFor } from './helpers/wait_for.ts';

interface McpStatus {
  readonly name: string;
  readonly workers: { readonly connected: number; readonly connecting: number; readonly down: number };
  readonly error: string | null;
}

const NODE = process.execPath;
const SHARED_TOOLS = ['echo', 'env', 'about', 'wait', 'cancelled', 'die', 'fail', 'refuse', 'invalid', 'print', 'garble', 'change', 'big'];

const mcpsOf = async ({ url }: StartedServer): Promise<readonly McpStatus[]> => (await send(url, '/status')).json['mcps'] as readonly McpStatus[];
/** Two servers, of which one has a child: in each worker. */
const PROCESSES = 2 * 3;

/** Those of its MCP servers. */
function processesOf({ process: { pid } }: StartedServer): readonly number[] {
  return descendantsOf(pid as number).filter((each) => /stdio_server|sleep/.test(commandOf(each)));
}

/** Callers' own processes end after their answers. */
const settled = (server: StartedServer): Promise<readonly number[]> =>
  waitFor('the end of all own processes', () => {
    const processes = processesOf(server);
    return processes.length === PROCESSES && processes;
  });

/** What a tool answered, as the offline model reports it. */
async function call({ url }: StartedServer, tool: string, args: unknown = {}, headers: Readonly<Record<string, string>> = {}): Promise<string> {
  const { json } = await chat(url, { message: `/tool ${tool} ${JSON.stringify(args)}` }, headers);
  return String(json['response'] ?? json['code']).replace(`The tool ${tool} returned: `, '');
}

const about = async (server: StartedServer, tool: string, headers = {}): Promise<{ readonly pid: number; readonly child?: number }> =>
  JSON.parse(await call(server, tool, {}, headers)) as { pid: number; child?: number };

t.test('two workers, with two servers each and one for each caller', async (t) => {
  const server = await serve(t, 'mcp_scripted', { args: ['--workers', '2'], env: { NODE, GIVEN: 'of-the-operator', STUCK_TIMEOUT_SECONDS: '2' } });

  await t.test('are shown, without secret and path', async (t) => {
    const info = await send(server.url, '/agent/info');
    t.strictSame(info.json['mcps'], [
      { name: 'shared', transport: 'stdio', per_interaction: false, tools: SHARED_TOOLS },
      { name: 'deaf', transport: 'stdio', per_interaction: false, tools: ['about'] },
      { name: 'own', transport: 'stdio', per_interaction: true, tools: [] },
    ]);
    t.strictSame(await mcpsOf(server), [
      { name: 'shared', transport: 'stdio', per_interaction: false, tools: 13, workers: { connected: 2, connecting: 0, down: 0 }, error: null },
      { name: 'deaf', transport: 'stdio', per_interaction: false, tools: 1, workers: { connected: 2, connecting: 0, down: 0 }, error: null },
      { name: 'own', transport: 'stdio', per_interaction: true, tools: null, workers: { connected: 0, connecting: 0, down: 0 }, error: null },
    ]);
    const told = `${info.text}${(await send(server.url, '/status')).text}`;
    t.notOk(told.includes(PROJECT) || told.includes('of-the-operator'));
  });

  await t.test('are called: what they are given, and what they are not', async (t) => {
    t.equal(await call(server, 'shared__echo', { text: 'hello' }), 'hello');
    t.equal(await call(server, 'shared__env', { name: 'GIVEN' }), 'of-the-operator');
    t.equal(await call(server, 'shared__env', { name: 'CALLER_TOKEN' }, { 'caller-token': 'token-1' }), '(unset)');
    t.equal(await call(server, 'shared__fail', { text: 'the disk is full' }), 'the disk is full');
  });

  await t.test('30 callers at once have their own credentials, and leave nothing', async (t) => {
    const tokens = Array.from({ length: 30 }, (_, index) => `token-${index}`);
    const seen = await Promise.all(tokens.map((token) => call(server, 'own__env', { name: 'TOKEN' }, { 'caller-token': token })));
    t.strictSame(seen, tokens);
    t.equal(await call(server, 'own__env', { name: 'TOKEN' }), 'There is no tool named own__env.', 'who has none is not given the tools');
    await settled(server);
  });

  await t.test('one that is killed is shown as down, and comes back', async (t) => {
    const { pid } = await about(server, 'shared__about');
    process.kill(pid, 'SIGKILL');
    const lost = await waitFor('the loss', async () => (await mcpsOf(server)).find(({ name, error }) => name === 'shared' && error !== null));
    t.match(lost, { workers: { connected: 1 }, error: 'was ended by SIGKILL' });
    await waitFor('its return', async () => (await mcpsOf(server))[0]?.workers.connected === 2);
    t.equal((await mcpsOf(server))[0]?.error, null);
    t.equal((await send(server.url, '/ready')).status, 200);
  });

  await t.test('a cancel reaches the call, and ends the caller\'s own process', async (t) => {
    const before = await settled(server);
    const opened = await stream(server.url, { message: '/tool own__wait', verbose: true }, { 'caller-token': 'token-1' });
    await opened.until('tool_call');
    const own = await waitFor('its process', () => processesOf(server).find((pid) => !before.includes(pid)));
    const id = String(opened.headers['x-interaction-id']);
    t.match((await send(server.url, `/chat/${id}/cancel`, { method: 'POST' })).json, { status: 'cancelled' });
    await waitFor('its end', () => !isAlive(own));
  });

  await t.test('a worker that is stuck is replaced, and the processes that it held are ended, those that ignore it, too', async (t) => {
    const workers = await settledWorkers(server, 2);
    const before = await settled(server);
    const looping = stream(server.url, { message: '/tool loop' });
    await (await looping).until('error');
    const after = await waitFor('the replacement', () => settledWorkers(server, 2), 30_000);
    t.notSame(after, workers);
    await waitFor('the end of its processes', () => before.filter(isAlive).length === before.length - 3);
    await settled(server);
    t.equal(await call(server, 'shared__echo', { text: 'again' }), 'again');
  });

  await t.test('the server ends with 0, and takes all of them with it', async (t) => {
    const before = await settled(server);
    t.strictSame(await server.stop(), { code: 0, signal: null });
    await waitFor('their end', () => !before.some(isAlive), 3000);
  });
});

t.test('a server that is killed leaves no MCP server that heeds the end of its input', async (t) => {
  const killed = await serve(t, 'mcp_scripted', { env: { NODE, GIVEN: 'x' } });
  const { pid } = await about(killed, 'shared__about');
  const deaf = await about(killed, 'deaf__about');
  killed.process.kill('SIGKILL');
  await waitFor('its end', () => !isAlive(pid));
  t.ok(isAlive(deaf.pid), 'one that ignores it is left: nobody is there to end it');
  process.kill(-deaf.pid, 'SIGKILL');
});

t.test('callers of a server over HTTP are told apart, and one that cannot be reached ends the interaction', async (t) => {
  const mcp = await startMcpHttpServer();
  t.teardown(() => mcp.close());
  const server = await serve(t, 'mcp_http', { env: { MCP_URL: mcp.url } });
  const tokens = Array.from({ length: 30 }, (_, index) => `token-${index}`);
  const seen = await Promise.all(tokens.map((token) => call(server, 'web__whoami', {}, { 'caller-token': token })));
  t.strictSame(seen, tokens.map((token) => JSON.stringify([`Bearer ${token}`, `Bearer ${token}`])));
  await waitFor('the end of all sessions', () => mcp.sessions.size === 0);
  mcp.status = 500;
  const failed = await chat(server.url, { message: 'hello' }, { 'caller-token': 'token-1' });
  t.match(failed, { status: 500, json: { code: 'AGENT_FAILED', detail: 'The MCP server web could not be reached.' } });
  t.equal((await chat(server.url, { message: 'hello' })).status, 200, 'who needs it not is not hindered');
});

t.test('an MCP server that does not start is an error at start, with file and line', async (t) => {
  for (const command of ['serve', 'check']) {
    const { code, stderr } = await runCommand([command, 'mcp_missing', '--config-root', 'test/fixtures', '--data-dir', await makeFolder(t)], { env: { NODE, LOG_LEVEL: 'error' } });
    t.equal(code, 78);
    t.match(stderr, /agents\/mcp_missing\.yaml:6: mcps\.files: the server cannot start: there is no command mcp-server-nowhere\n$/);
  }
  const unset = await runCommand(['check', 'mcp_scripted', '--config-root', 'test/fixtures'], { env: { NODE } });
  t.strictSame([unset.code, /: (mcps.*)\n$/.exec(unset.stderr)?.[1]], [78, 'mcps.shared.env.GIVEN: GIVEN is not set; set it, or name it in request_env for each request to set']);
  const checked = await runCommand(['check', 'mcp_scripted', '--config-root', 'test/fixtures'], { env: { NODE, GIVEN: 'x' } });
  t.equal(checked.code, 0);
  t.match(checked.stdout, /mcps\s+shared \(stdio\), deaf \(stdio\), own \(stdio, a connection for each interaction\)/);
});

nothingIsLeft(t);
