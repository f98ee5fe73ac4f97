// Makes an agent of a definition: instructions, a model, tools.
import type { ReadDefinition } from '../../../shared/agent/definition.ts';
import type { Origin } from '../../../shared/agent/origin.ts';
import type { DeclarativeDefinition } from '../../../shared/agent/schema.ts';
import { createModelClient } from '../engine/client.ts';
import { runTurns } from '../engine/turns.ts';
import type { LoadedAgent, McpReport } from './agent.ts';
import { chooseModel, type ModelOverrides } from './model_choice.ts';
import { loadTools, type WrittenTool } from './tool_exports.ts';
import { compileTemplate, parseEnvironment } from './variables.ts';

export interface LoadOptions extends ModelOverrides {
  /** Interactions at once in this worker, each with one model call at a time. */
  readonly concurrency: number;
  /** What `process.env` is outside of any interaction. */
  readonly baseEnv: Readonly<Record<string, string>>;
  /** Of agents that are used by others; see ServeTask. */
  readonly usedDefinitions: Readonly<Record<string, ReadDefinition>>;
  readonly configRoot: string;
  readonly reportMcps: McpReport;
}

/**
 * @param definition valid; of a module without its own tools, which are `written`
 * @param name the name that the agent was asked for, where it has none itself
 * @throws AgentLoadError
 */
export async function loadDeclarative(
  definition: DeclarativeDefinition,
  written: readonly (readonly [string, WrittenTool])[],
  name: string,
  options: LoadOptions,
  origin: Origin,
): Promise<LoadedAgent> {
  const environment = parseEnvironment(definition.environment);
  const env = { ...options.baseEnv, ...environment };
  const tools = await loadTools(definition.tools, written, origin);
  const specs = [...tools.values()].map(({ name: tool, description, parameters }) => ({ name: tool, description, parameters }));
  const client = createModelClient(options.concurrency);
  const { model, warnings } = chooseModel(definition.model, options, definition.request_env, specs, env, client, origin);
  const settings = { model, tools, instructions: compileTemplate(definition.system_prompt), maxTurns: definition.max_turns };
  return {
    facts: {
      name: definition.name ?? name,
      description: definition.description,
      framework: 'declarative',
      model: model.nameFor(env),
      tools: specs.map((tool) => ({ name: tool.name, description: tool.description })),
      mcps: [],
      agents: [],
      prompts: definition.prompts,
      requestEnv: definition.request_env,
      maxItems: definition.memory.max_items,
      port: definition.port,
      tags: definition.tags,
      maxTurns: definition.max_turns,
      warnings,
    },
    environment,
    modelFor: (of) => model.nameFor(of),
    run: (input, context, answer, usage) => runTurns(settings, input, context, answer, usage),
    close: () => client.close(),
  };
}
