// Finds the server that a command is about: where it is, its processes if they are here, and the token that may be sent there.
import { join, resolve } from 'node:path';
import { readEnvironment } from '../environment.ts';
import { CommandError } from '../failure.ts';
import { dataDirsBelow, findLiveServers, type LiveServer } from '../live_servers.ts';
import { adminTokenIn, checkedAgent, checkedUrl, isLoopback, type Variables } from '../server_access.ts';
import type { ManageFlags } from './option_table.ts';
import { announcementIn, isHeld, ServerProcess } from './server_process.ts';

export interface FoundServer {
  /** Without a slash at its end. */
  readonly url: string;
  /** null where none is known; the server may let this machine in without one. */
  readonly token: string | null;
  /** What to do where the server asks for another. */
  readonly tokenAdvice: string;
  /** null where it is on another machine, or its data directory is not known. */
  readonly process: ServerProcess | null;
}

/** A server that has its data directory now. */
interface LocalServer extends LiveServer {
  readonly agent: string | undefined;
  readonly process: ServerProcess | null;
}

/** What names a server without its URL. */
export type Place = Pick<ManageFlags, 'agent' | 'dataDir' | 'configRoot'>;

/**
 * The admin token goes to this machine and to the URL in server.json only; elsewhere goes OAI_TOKEN.
 * @param command for errors @param url none: the one server that runs here
 * @throws UsageError, CommandError, StartError, EnvironmentFileError
 */
export async function findServer(command: string, url: string | undefined, place: Place): Promise<FoundServer> {
  const asked = url === undefined ? undefined : checkedUrl(command, url);
  const around = await lookAround(place);
  return asked === undefined ? foundLocal(onlyOne(around, place), around.values) : serverAt(asked, around);
}

/** Where it is, for a command that sends it no admin token. @returns without a slash at its end @throws as `findServer` */
export async function findServerUrl(command: string, url: string | undefined, place: Place): Promise<string> {
  if (url !== undefined) return checkedUrl(command, url).href.replace(/\/+$/, '');
  return onlyOne(await lookAround(place), place).url;
}

/** What runs here, and where that was looked for. */
interface Surroundings {
  readonly values: Variables;
  readonly folders: readonly string[];
  readonly where: string;
  readonly servers: readonly LocalServer[];
}

async function lookAround({ agent, dataDir, configRoot }: Place): Promise<Surroundings> {
  const ofAgent = agent === undefined ? undefined : join('.oai-agent-server', checkedAgent(agent));
  const { values } = await readEnvironment(resolve(configRoot ?? (process.env['CONFIG_ROOT'] || '.')), process.env);
  const named = dataDir ?? (values['OAI_DATA_DIR'] || undefined);
  const folders = named !== undefined ? [named] : ofAgent !== undefined ? [ofAgent] : await dataDirsBelow(process.cwd());
  return { values, folders, where: named ?? ofAgent ?? 'any data directory below .oai-agent-server', servers: await localServers(folders, agent) };
}

/** Never a guess: what answers at some usual address may be anybody's, and would be sent a token. */
function onlyOne({ servers, where }: Surroundings, { agent }: Place): LocalServer {
  const [server, ...others] = servers;
  if (server === undefined) {
    const whose = agent === undefined ? '' : ` of ${agent}`;
    throw new CommandError(`no server${whose} runs in ${where}: name its data directory with --data-dir, or its URL`);
  }
  if (others.length > 0) {
    const shown = servers.map((each) => `${each.dataDir} (${each.url})`).join(', ');
    throw new CommandError(`several servers run here: name one with --agent, --data-dir or its URL: ${shown}`);
  }
  return server;
}

async function serverAt(url: URL, { servers, folders, values }: Surroundings): Promise<FoundServer> {
  const local = servers.find((each) => isSameServer(new URL(each.url), url));
  if (local !== undefined) return foundLocal(local, values);
  const base = url.href.replace(/\/+$/, '');
  const own = process.env['OAI_TOKEN'] || null;
  if (!isLoopback(url)) return { url: base, token: own, tokenAdvice: 'set OAI_TOKEN to a token of its own with the scope admin', process: null };
  const token = (await adminTokenIn(folders.length === 1 ? folders[0] : undefined, values)) ?? own;
  return { url: base, token, tokenAdvice: 'name its data directory with --data-dir, or set OAI_ADMIN_TOKEN', process: null };
}

async function foundLocal({ url, dataDir, process }: LocalServer, values: Variables): Promise<FoundServer> {
  const tokenAdvice = 'set OAI_ADMIN_TOKEN to the one that the server was started with';
  return { url, token: await adminTokenIn(dataDir, values), tokenAdvice, process };
}

/** Newest first. */
async function localServers(folders: readonly string[], agent: string | undefined): Promise<LocalServer[]> {
  const live = await findLiveServers(folders);
  const known = await Promise.all(live.map(localServer));
  return known.filter((server) => server !== null).filter((server) => agent === undefined || server.agent === agent);
}

async function localServer(server: LiveServer): Promise<LocalServer | null> {
  const announced = await announcementIn(server.dataDir);
  if (announced === null) return null;
  const process = ServerProcess.of(server.dataDir, announced);
  // Looked at second: whoever looks takes the lock for a moment.
  if (!(process !== null && process.hasLock) && !(await isHeld(server.dataDir))) return null;
  return { ...server, agent: announced.agent, process };
}

/** All names of this machine are one: the request then goes where server.json says. */
function isSameServer(one: URL, other: URL): boolean {
  return one.origin === other.origin || (isLoopback(one) && isLoopback(other) && one.port === other.port && one.protocol === other.protocol);
}
