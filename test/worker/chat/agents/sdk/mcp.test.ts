// MCP servers of an SDK agent: connected when it loads, used in its interactions, ended with its worker.
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { McpServerState } from '../../../../../shared/protocol.ts';
import { agentProcess } from '../../../../helpers/agent_process.ts';
import { makeFolder } from '../../../../helpers/folder.ts';
import { chat, send } from '../../../../helpers/http_client.ts';
import { loadFile, loadOptions, runAgent } from '../../../../helpers/interaction.ts';
import { nothingIsLeft } from '../../../../helpers/leftovers.ts';
import { startModelServer } from '../../../../helpers/model_server.ts';
import { LAUNCHER, PROJECT, spawnProcess, startServer } from '../../../../helpers/process.ts';
import { commandOf, descendantsOf, isAlive } from '../../../../helpers/processes.ts';
import { directed } from '../../../../helpers/serve.ts';
import { waitFor } from '../../../../helpers/wait_for.ts';

const model = await startModelServer();
const env = { OPENAI_BASE_URL: model.url, OPENAI_API_KEY: 'sk-x' };
Object.assign(process.env, env);

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

t.test('it is connected, named, used and closed', async (t) => {
  const reports: { readonly servers: readonly McpServerState[]; readonly pids: readonly number[] }[] = [];
  const options = { ...loadOptions(env), reportMcps: (servers: readonly McpServerState[], pids: readonly number[]) => void reports.push({ servers, pids }) };
  const agent = await loadFile(join(PROJECT, 'test/fixtures/agents/sdk_mcp.ts'), options);
  t.strictSame(agent.facts.mcps, [{ name: 'everything', transport: 'stdio', perInteraction: false, tools: [] }]);
  t.match(reports.at(-1), { servers: [{ name: 'everything', state: 'connected', error: null }], pids: [Number] });
  t.match(reports.find(({ pids }) => pids.length > 0)?.servers, [{ state: 'connecting' }], 'a process is told of before it has answered');
  const [pid = 0] = reports.at(-1)?.pids ?? [];
  t.ok(isRunning(pid));
  const message = directed([{ calls: [{ name: 'echo', arguments: { message: 'hello' } }] }, { text: 'Done.' }]);
  const { answer } = await runAgent(agent, message, { env });
  t.strictSame(answer.log.filter((line) => line.startsWith('tool_')), ['tool_call echo {"message":"hello"}', 'tool_result echo Echo: hello']);
  await agent.close();
  await waitFor('the end of the server', () => !isRunning(pid));
});

t.test('one that cannot be connected is named; one that is connected already is left as it is', async (t) => {
  const source = (more: string) => `import { Agent, MCPServerStdio } from '@openai/agents';
const server = new MCPServerStdio({ name: 'tools', command: process.execPath, args: ${more}
export default new Agent({ name: 'a', instructions: 'b', mcpServers: [server] });\n`;
  const lost = await agentProcess(t, { 'agent.ts': source("['-e', 'process.exit(3)'] });") }, env);
  t.match(lost.failure, /^the MCP server tools could not be connected: /);
  const everything = join(PROJECT, 'node_modules/@modelcontextprotocol/server-everything/dist/index.js');
  const connected = source(`['${everything}', 'stdio'] });\nawait server.connect();\nserver.connect = () => Promise.reject(new Error('twice'));`);
  t.equal((await agentProcess(t, { 'agent.ts': connected }, env)).failure, null);
});

/** An agent with one scripted server. @param options of the server, as source */
const scripted = (options = '') => `import { Agent, MCPServerStdio } from '@openai/agents';
const server = new MCPServerStdio({ name: 's', command: process.execPath, ${options} });
export default new Agent({ name: 'a', instructions: 'b', mcpServers: [server] });\n`;
const SCRIPT = join(PROJECT, 'test/fixtures/mcp/stdio_server.mjs');
/** Goes on after its stdin has ended. */
const DEAF = `args: ['-e', 'setInterval(() => {}, 1000); import("${SCRIPT}")']`;

async function folderOf(t: Test, source: string): Promise<string> {
  const folder = await makeFolder(t, { 'agents/a.ts': source, 'package.json': '{"type":"module"}' });
  await symlink(join(PROJECT, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

t.test('one that is lost is told of as down, and comes back by itself and for a run that needs it', async (t) => {
  const server = await startServer({
    agent: 'a', args: ['--config-root', await folderOf(t, scripted(`args: ['${SCRIPT}']`)), '--host', '127.0.0.1', '--workers', '1'], env,
  });
  t.teardown(() => server.stop());
  const { url, process: { pid = 0 } } = server;
  const ask = (name: string) => chat(url, { message: directed([{ calls: [{ name, arguments: {} }] }, { text: 'f' }]) });
  const state = async () => JSON.stringify((await send(url, '/status')).json['mcps']);
  t.match(await state(), '"connected":1');
  for (const name of ['about', 'die', 'about', 'die', 'about']) t.match(await ask(name), { status: 200, json: { response: 'f' } }, name);
  await waitFor('it to be told as connected', async () => (await state()).includes('"connected":1'));
  const [first = 0] = await waitFor('its process', () => descendantsOf(pid).filter((each) => commandOf(each).includes(SCRIPT)));
  process.kill(first, 'SIGKILL');
  await waitFor('the loss to be told', async () => !(await state()).includes('"connected":1'));
  await waitFor('it to be back without a run', async () => (await state()).includes('"connected":1'));
  t.strictSame(await server.stop(), { code: 0, signal: null });
});

t.test('a process that does not end with its stdin ends with the server', async (t) => {
  for (const env of ['', ", env: { STUBBORN: '1' }"]) {
    const args = ['--config-root', await folderOf(t, scripted(DEAF + env)), '--host', '127.0.0.1', '--workers', '1'];
    const server = await startServer({ agent: 'a', args, env: { OPENAI_BASE_URL: model.url, OPENAI_API_KEY: 'sk-x' } });
    t.teardown(() => server.stop());
    const pids = await waitFor('the process', () => {
      const found = descendantsOf(server.process.pid ?? 0);
      return found.length > 0 && found;
    });
    t.strictSame(await server.stop(), { code: 0, signal: null });
    await waitFor('their end', () => !pids.some(isAlive), 3000);
  }
});

t.test('a check leaves no process of a server that hangs', async (t) => {
  for (const [seconds, index] of [['1', 7], ['60', 9]] as const) {
    const words = ['check', 'a', '--config-root', await folderOf(t, scripted(`args: ['-e', 'setInterval(() => {}, 1000 + ${index})']`))];
    const checked = spawnProcess(process.execPath, [LAUNCHER, ...words], { env: { ...env, BOOT_TIMEOUT_SECONDS: seconds } });
    const pids = new Set<number>();
    const isOver = () => checked.process.exitCode !== null || checked.process.signalCode !== null;
    await waitFor('its end', () => {
      for (const pid of descendantsOf(checked.process.pid ?? 0)) pids.add(pid);
      return isOver();
    }, 30_000);
    t.not((await checked.exited).code, 0);
    t.ok(pids.size > 0);
    await waitFor('their end', () => ![...pids].some(isAlive), 3000);
  }
});

t.test('the end', async (t) => {
  await model.close();
  nothingIsLeft(t);
});
