// Where an agent's file may stand: by its name under the config root, or by a path.
import { dirname, extname, isAbsolute, join, resolve } from 'node:path';

export const AGENT_FOLDERS: readonly string[] = ['agents', 'agents_config'];
export const AGENT_EXTENSIONS: readonly string[] = ['.yaml', '.yml', '.json', '.ts', '.mts', '.js', '.mjs'];
export const AGENT_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;

/** Whether the file holds a definition, rather than code. */
export function isDefinitionFile(file: string): boolean {
  return ['.yaml', '.yml', '.json'].includes(extname(file));
}

/** The places of an agent with this name, from the config root, in the order in which they are looked for. */
export function agentPlaces(name: string): string[] {
  return AGENT_FOLDERS.flatMap((folder) => [
    ...AGENT_EXTENSIONS.map((extension) => join(folder, `${name}${extension}`)),
    ...AGENT_EXTENSIONS.map((extension) => join(folder, name, `agent${extension}`)),
  ]);
}

/** Whether one agent names another by its path, which is from its own file. */
export function isAgentPath(reference: string): boolean {
  return isAbsolute(reference) || /^\.{1,2}[\\/]/.test(reference);
}

/** Absolute paths at which an agent may stand that another names, the first that exists counts. */
export function usedAgentPlaces(reference: string, usedBy: string, configRoot: string): string[] {
  if (isAgentPath(reference)) return [resolve(dirname(usedBy), reference)];
  return AGENT_NAME.test(reference) ? agentPlaces(reference).map((place) => resolve(configRoot, place)) : [];
}
