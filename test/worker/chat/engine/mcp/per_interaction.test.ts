// Entries that name a variable of request_env: a connection an interaction, with its caller's own credentials.
import t, { type Test } from 'tap';
import { startMcpHttpServer, type McpHttpServer } from '../../../../fixtures/mcp/http_server.ts';
import { callTool, captureLog, freePort, openServers, SCRIPTED } from '../../../../helpers/mcp.ts';
import { isAlive } from '../../../../helpers/processes.ts';
import { makeContext } from '../../../../helpers/interaction.ts';
import { nothingIsLeft } from '../../../../helpers/leftovers.ts';
import { waitFor } from '../../../../helpers/wait_for.ts';
import type { McpServers, McpTools } from '../../../../../worker/chat/engine/mcp/servers.ts';

const requestEnv = ['TOKEN', 'TENANT'];
const LOCAL = { ...SCRIPTED, env: { CALLER: 'for {{TOKEN}}' } };
const remote = ({ url }: McpHttpServer) => ({ url: `${url}?for={{TENANT}}`, headers: { Authorization: 'Bearer {{TOKEN}}' } });

async function start(t: Test): Promise<McpHttpServer> {
  captureLog(t);
  const server = await startMcpHttpServer();
  t.teardown(() => server.close());
  return server;
}

const begin = async (servers: McpServers, env: Record<string, string>): Promise<McpTools> => (await servers.openForInteraction(makeContext({ env }))) as McpTools;

t.test('each caller\'s credentials reach the servers for that caller, and nobody else', async (t) => {
  const server = await start(t);
  const opened = await openServers(t, { local: LOCAL, web: remote(server), shared: SCRIPTED }, { requestEnv });
  const { servers } = opened;
  t.strictSame(servers.facts.map(({ name, perInteraction, tools }) => [name, perInteraction, tools.length]), [['local', true, 0], ['web', true, 0], ['shared', false, 13]]);
  t.strictSame(opened.states().map(({ state }) => state), ['per_interaction', 'per_interaction', 'connected']);
  t.notOk(servers.tools.some(({ name }) => !name.startsWith('shared__')));
  t.equal(server.requests.length, 0, 'nothing is connected before there is a caller');

  const callers = Array.from({ length: 30 }, (_, index) => ({ TOKEN: `token-${index}`, TENANT: `tenant-${index}` }));
  const ownPids = new Set<number>();
  await Promise.all(
    callers.map(async (env) => {
      const mine = await begin(servers, env);
      for (let turn = 0; turn < 3; turn += 1) {
        t.equal((await callTool(mine.tools, 'local__env', { name: 'CALLER' })).content, `for ${env.TOKEN}`);
        t.equal((await callTool(mine.tools, 'web__whoami')).content, JSON.stringify([`Bearer ${env.TOKEN}`, `Bearer ${env.TOKEN}`]));
        t.equal((await callTool(mine.tools, 'web__path')).content, `/mcp?for=${env.TENANT}`);
      }
      const { pid } = JSON.parse((await callTool(mine.tools, 'local__about')).content) as { pid: number };
      t.ok(opened.pids().includes(pid));
      ownPids.add(pid);
      await mine.close();
      t.notOk(isAlive(pid));
    }),
  );
  t.equal(ownPids.size, 30);
  t.equal(opened.pids().length, 1, 'only the shared one is left');
  t.equal(server.sessions.size, 0, 'every session is given back');
  t.notOk(server.requests.some(({ verb }) => verb === 'GET'), 'nobody listens for news that the interaction would not see');
});

t.test('the servers whose variable a caller has not set are left out, and only they', async (t) => {
  const server = await start(t);
  const { servers } = await openServers(t, { local: LOCAL, web: remote(server) }, { requestEnv });
  const context = makeContext({ env: { TOKEN: 'token-1', TENANT: '' } });
  const mine = (await servers.openForInteraction(context)) as McpTools;
  t.ok(mine.tools.length > 0 && mine.tools.every(({ name }) => name.startsWith('local__')));
  t.strictSame(context.logged, ['debug the tools of the MCP server web are left out: TENANT is not set']);
  t.equal(server.requests.length, 0);
  await mine.close();
  const none = await begin(servers, {});
  t.strictSame(none.tools, []);
  await none.close();
});

t.test('a server that cannot be reached ends the interaction, in words without address or token, and closes the others', async (t) => {
  const server = await start(t);
  const opened = await openServers(t, { local: LOCAL, web: { url: `http://127.0.0.1:${await freePort()}`, headers: { Authorization: 'Bearer {{TOKEN}}' } } }, { requestEnv });
  const error = await begin(opened.servers, { TOKEN: 'token-1' }).catch((reason: unknown) => reason as Error & { code: string; cause: Error });
  t.match(error, { code: 'AGENT_FAILED', message: 'The MCP server web could not be reached.' });
  await waitFor('the end of the other', () => opened.pids().length === 0);
  const refusing = await openServers(t, { web: remote(server) }, { requestEnv });
  server.status = 401;
  await t.rejects(begin(refusing.servers, { TOKEN: 'token-1', TENANT: 'a' }), { code: 'AGENT_FAILED', message: 'The MCP server web could not be reached.' });
  await t.rejects(begin(refusing.servers, { TOKEN: 'a\nb', TENANT: 'a' }), { code: 'AGENT_FAILED', message: /cannot be given this TOKEN/ });
});

t.test('an interaction that is cancelled while it connects leaves nothing', async (t) => {
  captureLog(t);
  const opened = await openServers(t, { local: { ...LOCAL, env: { CALLER: '{{TOKEN}}', FAIL: 'silent' } } }, { requestEnv });
  const abort = new AbortController();
  const opening = opened.servers.openForInteraction(makeContext({ env: { TOKEN: 'token-1' }, signal: abort.signal }));
  const [pid] = await waitFor('the process', () => opened.pids().length === 1 && opened.pids());
  abort.abort(new Error('cancelled'));
  await t.rejects(opening, { message: 'cancelled' });
  t.ok(isAlive(pid as number), 'nobody waits for its end');
  await waitFor('its end', () => !isAlive(pid as number));
  await t.rejects(opened.servers.openForInteraction(makeContext({ env: { TOKEN: 'token-1' }, signal: abort.signal })), { message: 'cancelled' });
});

t.test('what dies within an interaction is started again by its next call; what is open when the worker closes is closed', async (t) => {
  captureLog(t);
  const opened = await openServers(t, { local: LOCAL }, { requestEnv });
  const mine = await begin(opened.servers, { TOKEN: 'token-1' });
  await waitFor('a second', () => new Promise<true>((resolve) => setTimeout(() => resolve(true), 1050)));
  t.strictSame(await callTool(mine.tools, 'local__die'), { content: 'The MCP server local ended (exit code 3).', isError: true });
  t.strictSame(await callTool(mine.tools, 'local__env', { name: 'CALLER' }), { content: 'for token-1', isError: false });
  t.equal(opened.pids().length, 1);
  await opened.servers.close();
  t.strictSame(opened.pids(), []);
});

nothingIsLeft(t);
