// Makes the agents that take part: each with its model, its tools, its MCP servers, and its ways to the others.
import { AgentLoadError } from '../../../shared/agent/load_error.ts';
import type { McpServerFacts, McpServerState } from '../../../shared/protocol.ts';
import { agentTool, agentToolSpec } from '../engine/agent_tool.ts';
import { createModelClient, type ModelClient } from '../engine/client.ts';
import type { McpServers } from '../engine/mcp/servers.ts';
import type { Environment, ToolSpec } from '../engine/model.ts';
import { createOutput, SchemaError, type Output } from '../engine/output.ts';
import { createToolboxes } from '../engine/toolbox.ts';
import type { Tool } from '../engine/tools.ts';
import type { TurnAgent } from '../engine/turn_agent.ts';
import type { LoadOptions, McpReport } from './agent.ts';
import { chooseModel } from './model_choice.ts';
import { loadTools } from './tool_exports.ts';
import type { AgentUse, FoundAgent } from './used_agents.ts';
import { compileTemplate } from './variables.ts';

export interface Team {
  /** Who speaks first. */
  readonly root: TurnAgent;
  /** What the root's model is told of at first; the tools of its MCP servers and agents included. */
  readonly tools: readonly ToolSpec[];
  readonly mcps: readonly McpServerFacts[];
  readonly warnings: readonly string[];
  close(): Promise<void>;
}

export interface TeamSettings extends Pick<LoadOptions, 'temperature' | 'maxTokens' | 'concurrency' | 'reportMcps'> {
  /** What an interaction's environment is before a request adds to it. */
  readonly env: Environment;
  /** The variables that a request may set, of all of them. */
  readonly requestEnv: readonly string[];
}

interface Member {
  readonly found: FoundAgent;
  readonly agent: TurnAgent;
  readonly handoffs: Map<string, TurnAgent>;
  readonly mcp: McpServers | null;
  readonly tools: readonly ToolSpec[];
  readonly warnings: readonly string[];
}

/**
 * @param found see `findAgents`
 * @throws AgentLoadError
 */
export async function createTeam(found: readonly FoundAgent[], settings: TeamSettings): Promise<Team> {
  const client = createModelClient(settings.concurrency);
  const report = mergeReports(settings.reportMcps);
  const members = new Map<FoundAgent, Member>();
  const agentOf = (of: FoundAgent): TurnAgent => (members.get(of) as Member).agent;
  const close = async (): Promise<void> => {
    await Promise.all([...members.values()].map(({ mcp }) => mcp?.close()));
    await client.close();
  };
  try {
    // All at once: each may have servers to wait for. What has begun is awaited even where another fails, so that it can be closed.
    const made = await Promise.allSettled(found.map((each, index) => createMember(each, index === 0, settings, client, agentOf, report(each.name))));
    for (const [index, each] of found.entries()) {
      const outcome = made[index];
      if (outcome?.status === 'fulfilled') members.set(each, outcome.value);
    }
    const failed = made.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  } catch (error) {
    await close();
    throw error;
  }
  for (const { found: own, handoffs } of members.values()) {
    for (const use of own.uses) if (use.entry.use === 'handoff') handoffs.set(toolNameOf(use), agentOf(use.to));
  }
  const all = [...members.values()];
  const root = all[0] as Member;
  return {
    root: root.agent,
    tools: root.tools,
    mcps: all.flatMap(({ mcp }) => mcp?.facts ?? []),
    warnings: [...new Set(all.flatMap(({ warnings }) => warnings))],
    close,
  };
}

async function createMember(
  found: FoundAgent,
  isRoot: boolean,
  settings: TeamSettings,
  client: ModelClient,
  agentOf: (found: FoundAgent) => TurnAgent,
  changed: McpReport,
): Promise<Member> {
  const { origin, loaded, name, uses } = found;
  const { definition, written } = loaded;
  const { env, requestEnv } = settings;
  const tools = await loadTools(definition.tools, written, origin);
  const output = await outputOf(found);
  const overrides = isRoot ? settings : { temperature: null, maxTokens: null };
  const { model, warnings } = chooseModel(definition.model, overrides, requestEnv, output?.format ?? null, env, client, origin);
  const usedSpecs = uses.map((use) => ({ use, spec: specOf(use) }));
  refuseSameNames(found, tools, usedSpecs.map(({ use }) => use));
  const handoffSpecs = usedSpecs.flatMap(({ use, spec }) => (use.entry.use === 'handoff' ? [spec] : []));
  // Bound late: an agent may be used by one that it hands over to.
  const agentTools = usedSpecs.flatMap(({ use, spec }) =>
    use.entry.use === 'tool' ? [(run: Parameters<TurnAgent['openTools']>[0]) => agentTool(spec, agentOf(use.to), use.to.loaded.definition.max_turns)(run)] : [],
  );
  const mcp = Object.keys(definition.mcps).length === 0 ? null : await openMcp(found, isRoot, settings, changed, [...tools.keys(), ...usedSpecs.map(({ spec }) => spec.name)]);
  const handoffs = new Map<string, TurnAgent>();
  const own: readonly Tool[] = [...tools.values()];
  return {
    found,
    handoffs,
    mcp,
    warnings,
    tools: [...own, ...(mcp?.tools ?? []), ...usedSpecs.map(({ spec }) => spec)],
    agent: {
      name,
      model,
      instructions: compileTemplate(definition.system_prompt),
      output,
      handoffs,
      openTools: createToolboxes({ own, mcp, agents: agentTools, handoffs: handoffSpecs }),
    },
  };
}

async function outputOf({ loaded, name, origin }: FoundAgent): Promise<Output | null> {
  const schema = loaded.definition.output_schema;
  if (schema === undefined) return null;
  try {
    return await createOutput(name, schema);
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error;
    const path = ['output_schema', ...error.path];
    throw new AgentLoadError(`${path.join('.')}: ${error.message}`, origin.file, origin.lineOf(path));
  }
}

/** @param taken names of other tools; a tool that a server lists later under one of them is left out then */
async function openMcp(found: FoundAgent, isRoot: boolean, settings: TeamSettings, changed: McpReport, taken: readonly string[]): Promise<McpServers> {
  const { name, origin, loaded } = found;
  const { env, requestEnv } = settings;
  const { openMcpServers } = await import('../engine/mcp/servers.ts');
  const servers = await openMcpServers({ prefix: isRoot ? null : name, definitions: loaded.definition.mcps, env, requestEnv, origin, changed });
  const twice = servers.tools.find((tool) => taken.includes(tool.name));
  if (twice === undefined) return servers;
  await servers.close();
  throw new AgentLoadError(`mcps: two tools are named ${twice.name}`, origin.file, origin.lineOf(['mcps']));
}

/** As the Agents SDK names them. Names may have a dot, which those of tools may not. */
function toolNameOf({ entry, to }: AgentUse): string {
  const name = to.name.replaceAll(/[^A-Za-z0-9_-]/g, '_');
  return (entry.use === 'handoff' ? `transfer_to_${name}` : name).slice(0, 64);
}

function specOf(use: AgentUse): ToolSpec {
  const { entry, to } = use;
  const about = entry.description ?? to.loaded.definition.description;
  const name = toolNameOf(use);
  if (entry.use === 'tool') return agentToolSpec(name, about === '' ? `Ask the agent ${to.name}.` : about);
  const description = `Hand the conversation over to ${to.name}, who answers from then on.${about === '' ? '' : ` ${about}`}`;
  return { name, description, parameters: { type: 'object', properties: {}, required: [], additionalProperties: false } };
}

function refuseSameNames({ origin }: FoundAgent, tools: ReadonlyMap<string, unknown>, uses: readonly AgentUse[]): void {
  const names = new Set(tools.keys());
  for (const use of uses) {
    const name = toolNameOf(use);
    if (names.has(name)) throw new AgentLoadError(`agents[${use.index}]: two tools are named ${name}`, origin.file, origin.lineOf(['agents', use.index]));
    names.add(name);
  }
}

/** Each agent tells of its own servers; the supervisor is told of all. */
function mergeReports(report: McpReport): (agent: string) => McpReport {
  const states = new Map<string, readonly McpServerState[]>();
  const pidsOf = new Map<string, readonly number[]>();
  return (agent) => (servers, pids) => {
    states.set(agent, servers);
    pidsOf.set(agent, pids);
    report([...states.values()].flat(), [...pidsOf.values()].flat());
  };
}
