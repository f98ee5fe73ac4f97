// Reads an agent's definition and those of the agents it uses, once, so that all workers of a generation run the same.
import { readFile, stat } from 'node:fs/promises';
import { readDefinition, type ReadDefinition } from '../../shared/agent/definition.ts';
import { isDefinitionFile, usedAgentPlaces } from '../../shared/agent/places.ts';

export interface ReadDefinitions {
  /** null where the agent is a module, which only a worker may load. */
  readonly definition: ReadDefinition | null;
  /** By absolute path. Those that only a module names are not among them. */
  readonly usedDefinitions: Readonly<Record<string, ReadDefinition>>;
}

/**
 * @param file absolute @param configRoot absolute
 * @throws AgentLoadError when one of them is not valid, the file system's error when the agent's own cannot be read; one that is missing is told by
 * the worker, which looks for modules too
 */
export async function readDefinitions(file: string, configRoot: string): Promise<ReadDefinitions> {
  if (!isDefinitionFile(file)) return { definition: null, usedDefinitions: {} };
  const definition = readDefinition(await readFile(file, 'utf8'), file);
  const usedDefinitions: Record<string, ReadDefinition> = { [file]: definition };
  const readUsed = async (of: ReadDefinition, from: string): Promise<void> => {
    for (const { agent } of of.value.agents) {
      const used = await firstFile(usedAgentPlaces(agent, from, configRoot));
      if (used === null || !isDefinitionFile(used) || used in usedDefinitions) continue;
      const read = readDefinition(await readFile(used, 'utf8'), used);
      usedDefinitions[used] = read;
      await readUsed(read, used);
    }
  };
  await readUsed(definition, file);
  return { definition, usedDefinitions };
}

async function firstFile(places: readonly string[]): Promise<string | null> {
  for (const place of places) {
    const found = await stat(place).catch(() => null);
    if (found?.isFile() === true) return place;
  }
  return null;
}
