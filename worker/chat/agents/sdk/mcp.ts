// The MCP servers that an Agent of the SDK holds: connected where its code has left that to whoever runs it, and closed with the worker.
import type { MCPServer } from '@openai/agents';
import { AgentLoadError } from '../../../../shared/agent/load_error.ts';
import type { McpServerFacts } from '../../../../shared/protocol.ts';
import type { McpReport } from '../agent.ts';
import type { SdkAgent } from './package.ts';
import { isObject } from './stream_check.ts';

/** Longest piece of an error's own words. */
const QUOTE_LIMIT = 200;

export function mcpFacts(server: MCPServer): McpServerFacts {
  return { name: server.name, transport: /stdio/i.test(server.constructor.name) ? 'stdio' : 'http', perInteraction: false, tools: [] };
}

/**
 * Connects those that are not. Only the SDK's own classes tell; others have to be connected by the agent's code (`await server.connect()`).
 * @returns all that are now held, to be closed
 * @throws AgentLoadError for the first that cannot be connected
 */
export async function connectMcpServers(agent: SdkAgent, file: string, report: McpReport): Promise<readonly MCPServer[]> {
  const servers = [...new Set(agentsFrom(agent).flatMap(({ mcpServers }) => mcpServers))];
  if (servers.length === 0) return servers;
  for (const server of servers) {
    if (innerOf(server)?.['session'] !== null) continue;
    try {
      await server.connect();
    } catch (error) {
      await closeMcpServers(servers);
      const words = (error instanceof Error ? error.message : String(error)).split('\n')[0]?.slice(0, QUOTE_LIMIT);
      throw new AgentLoadError(`the MCP server ${server.name} could not be connected: ${words}`, file, null, { cause: error });
    }
  }
  report(servers.map(({ name }) => ({ name, state: 'connected', error: null })), servers.flatMap(pidOf));
  return servers;
}

/** Never rejects. */
export async function closeMcpServers(servers: readonly MCPServer[]): Promise<void> {
  await Promise.allSettled(servers.map(async (server) => server.close()));
}

/** The agent and those that it hands over to, however far. */
function agentsFrom(first: SdkAgent): readonly SdkAgent[] {
  const found = new Set([first]);
  for (const agent of found) {
    for (const handoff of agent.handoffs) found.add('agentName' in handoff ? handoff.agent : handoff);
  }
  return [...found];
}

function innerOf(server: MCPServer): Readonly<Record<string, unknown>> | undefined {
  return 'underlying' in server && isObject(server.underlying) ? server.underlying : undefined;
}

function pidOf(server: MCPServer): readonly number[] {
  const transport = innerOf(server)?.['transport'];
  return isObject(transport) && typeof transport['pid'] === 'number' ? [transport['pid']] : [];
}
