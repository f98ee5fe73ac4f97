// Finds the server or the data directory that `tokens` is about, and the token that may be sent there.
import { isIP } from 'node:net';
import { join, resolve } from 'node:path';
import { ADMIN_TOKEN_FILE, readAdminToken } from '../../supervisor/access/admin_token.ts';
import { DirectoryInUse } from '../../supervisor/data_directory.ts';
import { dataDirsBelow, findLiveServers } from '../chat/server_url.ts';
import { readEnvironment } from '../environment.ts';
import { UsageError } from '../failure.ts';
import { TokensError, type Desk } from './desk.ts';
import { openDirectoryDesk } from './directory_desk.ts';
import { openServerDesk } from './server_desk.ts';

export interface Wanted {
  readonly url: string | undefined;
  readonly dataDir: string | undefined;
  /** A data directory that is named may be made. */
  readonly mayMake: boolean;
}

type Variables = Readonly<Record<string, string | undefined>>;

/** @throws UsageError, TokensError, StartError, EnvironmentFileError */
export async function findDesk({ url, dataDir, mayMake }: Wanted): Promise<Desk> {
  const { values } = await readEnvironment(resolve(process.env['CONFIG_ROOT'] || '.'), process.env);
  const named = dataDir ?? (values['OAI_DATA_DIR'] || undefined);
  const folders = named === undefined ? await dataDirsBelow(process.cwd()) : [named];
  if (url !== undefined) return deskAt(checkedUrl(url), folders, values);
  const folder = named ?? (await onlyOne(folders));
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
  const token = values['OAI_ADMIN_TOKEN'] || (folder === undefined ? null : await tokenIn(join(folder, ADMIN_TOKEN_FILE)));
  if (token === null) throw new TokensError(`there is no admin token in ${folder}: set OAI_ADMIN_TOKEN to the one that the server was started with`);
  return token;
}

async function tokenIn(file: string): Promise<string | null> {
  return readAdminToken(file).catch((error: NodeJS.ErrnoException) => {
    throw error.code === undefined ? error : new TokensError(`the admin token ${file} cannot be read: ${error.code}`, { cause: error });
  });
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

function checkedUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new UsageError(`--url: expected a URL such as http://127.0.0.1:8000, got ${JSON.stringify(text)}`);
  }
  return url;
}

/** By the address itself or the one name that can be nothing else (RFC 6761, 6.3). */
function isLoopback({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || (isIP(hostname) === 4 && hostname.startsWith('127.'));
}
