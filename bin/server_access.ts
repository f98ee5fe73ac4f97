// How the command line names a server, and the admin token of a data directory, which is sent to this machine and to server.json's URL only.
import { isIP } from 'node:net';
import { join } from 'node:path';
import { AGENT_NAME } from '../shared/agent/places.ts';
import { ADMIN_TOKEN_FILE, readAdminToken } from '../supervisor/access/admin_token.ts';
import { CommandError, UsageError } from './failure.ts';

export type Variables = Readonly<Record<string, string | undefined>>;

/**
 * OAI_ADMIN_TOKEN, or what the data directory has.
 * @returns null where there is none
 * @throws CommandError, StartError where there is one that cannot be read
 */
export async function adminTokenIn(folder: string | undefined, values: Variables): Promise<string | null> {
  const given = values['OAI_ADMIN_TOKEN'];
  if (given) return given;
  if (folder === undefined) return null;
  const file = join(folder, ADMIN_TOKEN_FILE);
  return readAdminToken(file).catch((error: NodeJS.ErrnoException) => {
    throw error.code === undefined ? error : new CommandError(`the admin token ${file} cannot be read: ${error.code}`, { cause: error });
  });
}

/** @throws UsageError */
export function checkedAgent(text: string): string {
  if (!AGENT_NAME.test(text)) throw new UsageError(`--agent: expected the name of an agent, got ${JSON.stringify(text)}`);
  return text;
}

/** `host:port`, where a URL would have read the host as its scheme. */
const WITHOUT_SCHEME = /^(\[[\da-fA-F:]+\]|[\w.-]+):\d{1,5}(\/|$)/;

/** Without a scheme it is http. @param what the option or command that took it @throws UsageError */
export function checkedUrl(what: string, text: string): URL {
  const url = URL.parse(WITHOUT_SCHEME.test(text) ? `http://${text}` : text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new UsageError(`${what}: expected a URL such as http://127.0.0.1:8000, got ${JSON.stringify(text)}`);
  }
  return url;
}

/** By the address itself or the one name that can be nothing else (RFC 6761, 6.3). */
export function isLoopback({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || (isIP(hostname) === 4 && hostname.startsWith('127.'));
}
