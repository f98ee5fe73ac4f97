// Finds the server or the store that `tokens` is about, and the token that may be sent there.
import { readFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { redisOf } from '../../shared/config.ts';
import { DirectoryInUse, openDataDirectory } from '../../supervisor/data_directory.ts';
import { readEnvironment } from '../environment.ts';
import { dataDirsBelow, findLiveServers } from '../live_servers.ts';
import { adminTokenIn, checkedAgent, checkedUrl, isLoopback, type Variables } from '../server_access.ts';
import { TokensError, type Desk } from './desk.ts';
import { openDirectoryDesk } from './directory_desk.ts';
import { openRedisDesk } from './redis_desk.ts';
import { openServerDesk } from './server_desk.ts';

export interface Wanted {
  readonly url: string | undefined;
  readonly dataDir: string | undefined;
  readonly agent: string | undefined;
  /** A data directory that is named may be made. */
  readonly mayMake: boolean;
}

/** @throws UsageError, TokensError, ConfigError, StartError, EnvironmentFileError */
export async function findDesk({ url, dataDir, agent, mayMake }: Wanted): Promise<Desk> {
  const { values } = await readEnvironment(resolve(process.env['CONFIG_ROOT'] || '.'), process.env);
  const named = dataDir ?? (values['OAI_DATA_DIR'] || undefined);
  const ofAgent = agent === undefined ? undefined : join('.oai-agent-server', checkedAgent(agent));
  const below = await dataDirsBelow(process.cwd());
  const folders = named === undefined ? (ofAgent === undefined ? below : [ofAgent]) : [named];
  if (url !== undefined) return deskAt(checkedUrl('--url', url), folders, values);
  const redis = redisOf(values);
  if (redis !== null) return (await runningServer(folders, agent, values)) ?? openRedisDesk(redis, agent ?? onlyAgent(named, below));
  const folder = named ?? ofAgent ?? (await onlyOne(folders));
  try {
    return await openDirectoryDesk(folder, mayMake && named !== undefined);
  } catch (error) {
    if (!(error instanceof DirectoryInUse)) throw error;
    // Whoever holds the lock is the server that wrote the address: nobody else is sent the token.
    const [server] = await findLiveServers([folder]);
    if (server === undefined) throw new TokensError(`${error.message.split(';')[0]}, which does not serve just now: try again`, { cause: error });
    return openServerDesk(server.url, await adminTokenOf(folder, values));
  }
}

/** null where no server runs in any of them, or none of that agent. */
async function runningServer(folders: readonly string[], agent: string | undefined, values: Variables): Promise<Desk | null> {
  for (const server of await findLiveServers(folders)) {
    if (agent !== undefined && agent !== (await agentIn(server.dataDir))) continue;
    try {
      // What a killed server has left behind names no server, whoever has its address or process id now.
      (await openDataDirectory(server.dataDir)).close();
    } catch (error) {
      if (!(error instanceof DirectoryInUse)) throw error;
      return openServerDesk(server.url, await adminTokenOf(server.dataDir, values));
    }
  }
  return null;
}

/** The agent of the server that has a data directory. */
async function agentIn(dataDir: string): Promise<unknown> {
  const server = JSON.parse(await readFile(join(dataDir, 'server.json'), 'utf8').catch(() => '{}')) as { readonly agent?: unknown };
  return server.agent;
}

/** The keys of each agent have its name. A directory that is named is that agent's only where it stands where a server puts it by itself. */
function onlyAgent(named: string | undefined, below: readonly string[]): string {
  if (named !== undefined) {
    const path = resolve(named);
    if (basename(dirname(path)) === '.oai-agent-server') return basename(path);
    throw new TokensError(`whose tokens in Redis? name the agent with --agent, as no server runs in ${named}`);
  }
  const [only, second] = below.map((folder) => basename(folder));
  if (only !== undefined && second === undefined) return only;
  const known = only === undefined ? 'there is no data directory below .oai-agent-server' : `there are several data directories: ${below.join(', ')}`;
  throw new TokensError(`whose tokens in Redis? name the agent with --agent, as no server runs here and ${known}`);
}

/** A server on this machine, or of a data directory here, is sent the admin token; any other OAI_TOKEN, which is made for it. */
async function deskAt(url: URL, folders: readonly string[], values: Variables): Promise<Desk> {
  const base = url.href.replace(/\/+$/, '');
  const servers = await findLiveServers(folders);
  const server = servers.find((each) => new URL(each.url).origin === url.origin);
  if (server !== undefined || isLoopback(url)) {
    const folder = server?.dataDir ?? (folders.length === 1 ? folders[0] : undefined);
    if (folder !== undefined || values['OAI_ADMIN_TOKEN']) return openServerDesk(base, await adminTokenOf(folder, values));
    throw new TokensError(`the admin token of ${base} is not known: name its data directory with --data-dir, or set OAI_ADMIN_TOKEN`);
  }
  const { OAI_TOKEN: own } = process.env;
  if (own) return openServerDesk(base, own);
  throw new TokensError(
    `${base} is neither on this machine nor the server of the data directory, so it is not sent the admin token: ` +
      'set OAI_TOKEN to a token of its own with the scope admin',
  );
}

async function adminTokenOf(folder: string | undefined, values: Variables): Promise<string> {
  const token = await adminTokenIn(folder, values);
  if (token === null) throw new TokensError(`there is no admin token in ${folder}: set OAI_ADMIN_TOKEN to the one that the server was started with`);
  return token;
}

async function onlyOne(folders: readonly string[]): Promise<string> {
  const [newest] = await findLiveServers(folders);
  if (newest !== undefined) return newest.dataDir;
  const [only, second] = folders;
  if (only === undefined) {
    const wanted = 'name one with --data-dir, or a server with --url';
    throw new TokensError(`no server runs here, and there is no data directory below .oai-agent-server: ${wanted}`);
  }
  if (second !== undefined) {
    throw new TokensError(`no server runs here, and there are several data directories: name one with --data-dir: ${folders.join(', ')}`);
  }
  return only;
}
