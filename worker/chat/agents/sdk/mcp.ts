// The MCP servers that an Agent of the SDK holds: connected where its code has left that to whoever runs it, kept so, and closed with the worker.
import type { MCPServer } from '@openai/agents';
import { AgentLoadError } from '../../../../shared/agent/load_error.ts';
import type { McpServerFacts } from '../../../../shared/protocol.ts';
import type { McpReport } from '../agent.ts';
import { createSdkMcpConnection, type SdkMcpConnection } from './mcp_connection.ts';
import type { SdkAgent } from './package.ts';

/** Longest piece of an error's own words. */
const QUOTE_LIMIT = 200;

export function mcpFacts(server: MCPServer): McpServerFacts {
  return { name: server.name, transport: /stdio/i.test(server.constructor.name) ? 'stdio' : 'http', perInteraction: false, tools: [] };
}

/**
 * Connects those that are not, and keeps them connected. Only the SDK's own classes can be; others have to be connected by the agent's code
 * (`await server.connect()`).
 * @param report is told of every change, and of each process as soon as it runs
 * @returns what ends them; it never rejects
 * @throws AgentLoadError for the first that cannot be connected
 */
export async function connectMcpServers(agent: SdkAgent, file: string, report: McpReport): Promise<() => Promise<void>> {
  const servers = [...new Set(agentsFrom(agent).flatMap(({ mcpServers }) => mcpServers))];
  const changed = () => report(connections.map(({ state }) => state), connections.flatMap(({ pids }) => pids));
  const connections: readonly SdkMcpConnection[] = servers.map((server) => createSdkMcpConnection(server, changed));
  const close = async () => void (await Promise.all(connections.map((connection) => connection.close())));
  for (const [index, connection] of connections.entries()) {
    try {
      await connection.open();
    } catch (error) {
      await close();
      const words = (error instanceof Error ? error.message : String(error)).split('\n')[0]?.slice(0, QUOTE_LIMIT);
      throw new AgentLoadError(`the MCP server ${servers[index]?.name} could not be connected: ${words}`, file, null, { cause: error });
    }
  }
  if (connections.length > 0) changed();
  return close;
}

/** The agent and those that it hands over to, however far. */
function agentsFrom(first: SdkAgent): readonly SdkAgent[] {
  const found = new Set([first]);
  for (const agent of found) {
    for (const handoff of agent.handoffs) found.add('agentName' in handoff ? handoff.agent : handoff);
  }
  return [...found];
}
