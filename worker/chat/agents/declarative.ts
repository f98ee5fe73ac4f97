// Makes an agent of a definition: instructions, a model, tools, and the other agents that it uses.
import type { Origin } from '../../../shared/agent/origin.ts';
import { runTurns } from '../engine/turns.ts';
import type { LoadedAgent, LoadOptions } from './agent.ts';
import type { LoadedDefinition } from './module_definition.ts';
import { createTeam } from './team.ts';
import { findAgents } from './used_agents.ts';
import { parseEnvironment } from './variables.ts';

/**
 * @param loaded valid
 * @param name the name that the agent was asked for, where it has none itself
 * @throws AgentLoadError
 */
export async function loadDeclarative(loaded: LoadedDefinition, name: string, options: LoadOptions, origin: Origin): Promise<LoadedAgent> {
  const { definition } = loaded;
  const found = await findAgents({ name: definition.name ?? name, origin, loaded }, options);
  const definitions = found.map((each) => each.loaded.definition);
  // The served agent's own values win over those of the agents it uses.
  const environment = definitions.reduceRight<Record<string, string>>((all, each) => ({ ...all, ...parseEnvironment(each.environment) }), {});
  const requestEnv = [...new Set(definitions.flatMap((each) => each.request_env))];
  const env = { ...options.baseEnv, ...environment };
  const team = await createTeam(found, { ...options, env, requestEnv });
  const { root } = team;
  return {
    facts: {
      name: root.name,
      description: definition.description,
      framework: 'declarative',
      model: root.model.nameFor(env),
      tools: team.tools.map((tool) => ({ name: tool.name, description: tool.description })),
      mcps: team.mcps,
      agents: found.slice(1).map((each) => each.name),
      prompts: definition.prompts,
      requestEnv,
      allowReinitialize: definition.allow_reinitialize,
      smokeTest: definition.smoke_test ?? null,
      maxItems: definition.memory.max_items,
      port: definition.port,
      tags: definition.tags,
      maxTurns: definition.max_turns,
      warnings: team.warnings,
    },
    environment,
    modelFor: (of) => root.model.nameFor(of),
    run: (input, context, answer, usage) => runTurns(root, definition.max_turns, { ...input, files: context.files }, { context, answer, usage }),
    close: () => team.close(),
  };
}
