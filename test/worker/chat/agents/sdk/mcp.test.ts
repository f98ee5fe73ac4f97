// MCP servers of an SDK agent: connected when it loads, used in its interactions, ended with its worker.
import { join } from 'node:path';
import t from 'tap';
import type { McpServerState } from '../../../../../shared/protocol.ts';
import { agentProcess } from '../../../../helpers/agent_process.ts';
import { loadFile, loadOptions, runAgent } from '../../../../helpers/interaction.ts';
import { nothingIsLeft } from '../../../../helpers/leftovers.ts';
import { startModelServer } from '../../../../helpers/model_server.ts';
import { PROJECT } from '../../../../helpers/process.ts';
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
  t.match(reports, [{ servers: [{ name: 'everything', state: 'connected', error: null }], pids: [Number] }]);
  const [pid = 0] = reports[0]?.pids ?? [];
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

t.test('the end', async (t) => {
  await model.close();
  nothingIsLeft(t);
});
