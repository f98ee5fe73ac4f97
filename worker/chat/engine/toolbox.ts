// The tools of one interaction: the agent's own functions, those of MCP servers, other agents as tools, and the ways to hand over.
import type { McpServers, McpTools } from './mcp/servers.ts';
import type { ToolSpec } from './model.ts';
import type { Tool } from './tools.ts';
import type { AgentRun, Toolbox } from './turn_agent.ts';

export interface ToolboxSettings {
  readonly own: readonly Tool[];
  readonly mcp: McpServers | null;
  /** Those that need to know the interaction they run in. */
  readonly agents: readonly ((run: AgentRun) => Tool)[];
  readonly handoffs: readonly ToolSpec[];
}

/** @returns what opens the tools of an interaction @throws from that, AppError AGENT_FAILED when a connection of the interaction's own cannot be made */
export function createToolboxes(settings: ToolboxSettings): (run: AgentRun) => Toolbox | Promise<Toolbox> {
  const { own, mcp, agents, handoffs } = settings;
  let shared: (Toolbox & { readonly from: readonly Tool[] | undefined }) | undefined;
  /** Made anew only when an MCP server's list of tools has changed. */
  const sharedBox = (): Toolbox => {
    if (shared === undefined || shared.from !== mcp?.tools) shared = { ...boxOf([...own, ...(mcp?.tools ?? [])], handoffs, null), from: mcp?.tools };
    return shared;
  };
  const isConstant = agents.length === 0 && (mcp === null || mcp.facts.every(({ perInteraction }) => !perInteraction));
  if (isConstant) return sharedBox;
  return async (run) => {
    const opened = (await mcp?.openForInteraction(run.context)) ?? null;
    const box = sharedBox();
    if (opened === null && agents.length === 0) return box;
    return boxOf([...own, ...agents.map((agent) => agent(run)), ...box.tools.values(), ...(opened?.tools ?? [])], handoffs, opened);
  };
}

function boxOf(tools: readonly Tool[], handoffs: readonly ToolSpec[], opened: McpTools | null): Toolbox {
  const byName = new Map<string, Tool>();
  const taken = new Set(handoffs.map(({ name }) => name));
  // The first of a name: the agent's own. What a server lists anew must not take the place of it.
  for (const tool of tools) if (!taken.has(tool.name) && !byName.has(tool.name)) byName.set(tool.name, tool);
  const specs = [...byName.values()].map(({ name, description, parameters }) => ({ name, description, parameters }));
  return {
    specs: [...specs, ...handoffs],
    tools: byName,
    close: async () => opened?.close().catch(() => undefined),
  };
}
