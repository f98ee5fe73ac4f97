// Finds an agent's file by its name or path. None of the agent's code is read here.
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, relative, resolve } from 'node:path';
import { AGENT_EXTENSIONS as EXTENSIONS, AGENT_FOLDERS as FOLDERS, AGENT_NAME as NAME, agentPlaces } from '../shared/agent/places.ts';

export interface AgentFile {
  /** Absolute path. */
  readonly file: string;
  /** As it may stand in a URL, a key or a folder's name. */
  readonly name: string;
}

/** There is no such agent. The message says where it was looked for, and which there are. */
export class UnknownAgentError extends Error {
  readonly exitCode = 2;

  constructor(message: string) {
    super(message);
    this.name = 'UnknownAgentError';
  }
}

/**
 * The file of an agent: by name under the config root, `agents/<name>.yaml` first, or by path from the current directory.
 * @throws UnknownAgentError
 */
export async function findAgentFile(configRoot: string, nameOrPath: string): Promise<AgentFile> {
  if (NAME.test(nameOrPath)) {
    for (const place of agentPlaces(nameOrPath)) {
      const file = resolve(configRoot, place);
      if (await isFile(file)) return { file, name: nameOrPath };
    }
  }
  const path = resolve(nameOrPath);
  if (nameOrPath !== '' && (await isFile(path))) return fromPath(path);
  if (/[\\/]/.test(nameOrPath)) throw new UnknownAgentError(`no agent's file at ${path}`);
  if (!NAME.test(nameOrPath)) {
    throw new UnknownAgentError(`agent ${JSON.stringify(nameOrPath)}: expected a name of letters, digits, "_", "." and "-", or a path`);
  }
  const known = await listAgents(configRoot);
  const places = FOLDERS.flatMap((folder) => [`${folder}/${nameOrPath}{EXT}`, `${folder}/${nameOrPath}/agent{EXT}`]);
  throw new UnknownAgentError(
    `no agent ${nameOrPath} in ${resolve(configRoot)}: looked for ${places.join(', ')} with EXT one of ${EXTENSIONS.join(' ')}; ` +
      `agents there: ${known.length === 0 ? 'none' : known.join(', ')}`,
  );
}

/** The names of the agents that stand under the config root, in alphabetical order. */
export async function listAgents(configRoot: string): Promise<string[]> {
  const names = new Set<string>();
  for (const folder of FOLDERS) {
    for (const entry of await entriesOf(resolve(configRoot, folder))) {
      const extension = extname(entry);
      const name = EXTENSIONS.includes(extension) ? basename(entry, extension) : entry;
      const places = EXTENSIONS.includes(extension) ? [entry] : EXTENSIONS.map((known) => join(entry, `agent${known}`));
      if (NAME.test(name) && (await anyFile(places.map((place) => resolve(configRoot, folder, place))))) names.add(name);
    }
  }
  return [...names].sort();
}

/** An agent that is named by its path is called as its file, or as its folder where the file is only `agent`. */
function fromPath(file: string): AgentFile {
  const extension = extname(file);
  if (!EXTENSIONS.includes(extension)) {
    throw new UnknownAgentError(`${relative('.', file)}: expected an agent's file, one of *${EXTENSIONS.join(', *')}`);
  }
  const base = basename(file, extension);
  const folder = basename(dirname(file));
  const called = base === 'agent' && !FOLDERS.includes(folder) ? folder : base;
  const name = called.replaceAll(/[^A-Za-z0-9_.-]/g, '-').replace(/^[^A-Za-z0-9]+/, '');
  return { file, name: name === '' ? 'agent' : name };
}

async function anyFile(files: readonly string[]): Promise<boolean> {
  for (const file of files) if (await isFile(file)) return true;
  return false;
}

async function isFile(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  return found?.isFile() ?? false;
}

async function entriesOf(folder: string): Promise<string[]> {
  return await readdir(folder).catch(() => []);
}
