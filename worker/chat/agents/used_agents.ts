// Finds the agents that an agent uses, and those that these use, each once.
import { statSync } from 'node:fs';
import { basename, dirname, extname } from 'node:path';
import { AgentLoadError } from '../../../shared/agent/load_error.ts';
import { originOf, type Origin } from '../../../shared/agent/origin.ts';
import { isAgentPath, isDefinitionFile, usedAgentPlaces } from '../../../shared/agent/places.ts';
import type { DeclarativeDefinition } from '../../../shared/agent/schema.ts';
import type { LoadOptions } from './agent.ts';
import { importModule, isKeptModule } from './import_module.ts';
import { isKeptText, readText } from './kept_modules.ts';
import { noteFile } from './loaded_files.ts';
import type { LoadedDefinition } from './module_definition.ts';

/** One of the agents that take part, before it is made. */
export interface FoundAgent {
  readonly name: string;
  readonly origin: Origin;
  readonly loaded: LoadedDefinition;
  readonly uses: readonly AgentUse[];
}

export interface AgentUse {
  readonly entry: DeclarativeDefinition['agents'][number];
  /** Its place in the list. */
  readonly index: number;
  readonly to: FoundAgent;
}

type Options = Pick<LoadOptions, 'usedDefinitions' | 'configRoot'>;

/**
 * @param root the agent that is served
 * @returns it and all that it uses, itself first
 * @throws AgentLoadError
 */
export async function findAgents(root: Omit<FoundAgent, 'uses'>, options: Options): Promise<readonly FoundAgent[]> {
  const found = new Map<string, FoundAgent>();
  const visit = async (agent: Omit<FoundAgent, 'uses'>): Promise<FoundAgent> => {
    const uses: AgentUse[] = [];
    const own: FoundAgent = { ...agent, uses };
    found.set(agent.origin.file, own);
    for (const [index, entry] of agent.loaded.definition.agents.entries()) {
      const file = fileOf(entry.agent, index, agent.origin, options);
      const known = found.get(file);
      const to = known ?? (await visit(unlikeOthers(await read(file, entry.agent, index, agent.origin, options), found, agent.origin, index)));
      uses.push({ entry, index, to });
    }
    return own;
  };
  await visit(root);
  const agents = [...found.values()];
  agents.forEach(refuseLoops);
  return agents;
}

function fileOf(reference: string, index: number, usedBy: Origin, { usedDefinitions, configRoot }: Options): string {
  const places = usedAgentPlaces(reference, usedBy.file, configRoot);
  const file = places.find((place) => place in usedDefinitions || isKeptText(place) || isKeptModule(place) || isFile(place));
  if (file !== undefined) return file;
  places.forEach(noteFile);
  const where = isAgentPath(reference) ? 'that path, which is from this file' : 'agents/ and agents_config/ under the config root';
  throw problem(usedBy, index, `there is no agent ${reference}; looked at ${where}`);
}

/** Their names tell them apart in usage, in states and in what is said of them. */
function unlikeOthers(agent: Omit<FoundAgent, 'uses'>, others: ReadonlyMap<string, FoundAgent>, usedBy: Origin, index: number): Omit<FoundAgent, 'uses'> {
  for (const { name, origin } of others.values()) {
    if (name === agent.name) throw problem(usedBy, index, `two agents are named ${name}: ${basename(origin.file)} and ${basename(agent.origin.file)}`);
  }
  return agent;
}

function isFile(place: string): boolean {
  return statSync(place, { throwIfNoEntry: false })?.isFile() ?? false;
}

async function read(file: string, reference: string, index: number, usedBy: Origin, { usedDefinitions }: Options): Promise<Omit<FoundAgent, 'uses'>> {
  noteFile(file);
  const called = isAgentPath(reference) ? nameOfFile(file) : reference;
  // What reads and checks definitions is imported only where the supervisor has not done that: 80 ms and 10 MB a worker.
  if (isDefinitionFile(file)) {
    const definition = usedDefinitions[file] ?? (await import('../../../shared/agent/definition.ts')).readDefinition(readText(file), file);
    const loaded = { definition: definition.value, written: [] };
    return { name: definition.value.name ?? called, origin: originOf(file, definition.lines), loaded };
  }
  const origin = originOf(file, {});
  const exported = (await importModule(file))['default'];
  if (typeof exported !== 'object' || exported === null || 'chat' in exported || !('model' in exported) || 'asTool' in exported) {
    throw problem(usedBy, index, `${reference} is no definition: only such an agent can be used by another`);
  }
  const { moduleDefinition } = await import('./module_definition.ts');
  const loaded = moduleDefinition(exported, origin);
  return { name: loaded.definition.name ?? called, origin, loaded };
}

/** `billing` of `…/billing.yaml` and of `…/billing/agent.yaml`. */
function nameOfFile(file: string): string {
  const base = basename(file, extname(file));
  return base === 'agent' ? basename(dirname(file)) : base;
}

/** Handing over may go round, as max_turns counts it; an agent that uses itself as a tool, be it through others, would go ever deeper. */
function refuseLoops(agent: FoundAgent): void {
  for (const { entry, index, to } of agent.uses) {
    if (entry.use !== 'tool' || !reaches(to, agent, new Set())) continue;
    throw problem(agent.origin, index, `${to.name} comes back to ${agent.name}: an agent cannot use itself as a tool, through others either`);
  }
}

function reaches(from: FoundAgent, target: FoundAgent, seen: Set<FoundAgent>): boolean {
  if (from === target) return true;
  if (seen.has(from)) return false;
  seen.add(from);
  return from.uses.some(({ to }) => reaches(to, target, seen));
}

function problem({ file, lineOf }: Origin, index: number, message: string): AgentLoadError {
  return new AgentLoadError(`agents[${index}].agent: ${message}`, file, lineOf(['agents', index, 'agent']));
}
