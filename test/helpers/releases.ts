// An agent in a folder of its own, of which new versions are put in place while a server runs it.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Test } from 'tap';
import { makeFolder } from './folder.ts';
import { send, type Answer } from './http_client.ts';
import { startServer, type StartedServer } from './process.ts';
import { adminTokenOf, bearer } from './tokens.ts';

/** An answer is the version, in so many pieces. */
export const PIECES = 10;

/**
 * A module whose answers name their version in every piece. A message is how long its pieces are apart, in ms; `env NAME` asks for a variable, `stray` is an
 * error out of no await.
 * @param more what else the module says, before everything
 */
export function versioned(version: string, more = ''): string {
  return `${more}
import { setTimeout as sleep } from 'node:timers/promises';
async function* chat({ message }, { env, signal }) {
  if (message.startsWith('env ')) { yield String(env[message.slice(4)] ?? 'unset'); return; }
  if (message === 'stray') {
    setTimeout(() => { throw new Error('a stray error'); });
    await sleep(1000, undefined, { signal });
  }
  for (let piece = 0; piece < ${PIECES}; piece += 1) {
    yield ' ${version}';
    await sleep(Number(message), undefined, { signal });
  }
}
export default { name: 'release', chat };
`;
}

/** What a whole answer of a version is. */
export const answerOf = (version: string): string => ` ${version}`.repeat(PIECES);

export interface Releases {
  readonly server: StartedServer;
  readonly folder: string;
  /** Puts a file of the agent's folder in place. */
  write(file: string, text: string): Promise<void>;
  /** Puts a version in place: the agent's module. */
  put(text: string): Promise<void>;
  /** POST with the admin token. */
  post(path: string): Promise<Answer>;
}

export interface ReleaseOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
  readonly workers?: number;
  readonly launcher?: boolean;
}

/** Serves version `v1`. */
export async function serveReleases(t: Test, { args = [], env = {}, files = {}, workers = 2, launcher = false }: ReleaseOptions = {}): Promise<Releases> {
  const folder = await makeFolder(t, { 'agents/release.mjs': versioned('v1'), ...files });
  const words = ['--config-root', folder, '--host', '127.0.0.1', '--workers', String(workers), ...args];
  const server = await startServer({ agent: 'release', args: words, env, launcher });
  t.teardown(() => server.stop());
  const write = (file: string, text: string): Promise<void> => writeFile(join(folder, file), text);
  return {
    server,
    folder,
    write,
    put: (text) => write('agents/release.mjs', text),
    post: async (path) => send(server.url, path, { method: 'POST', headers: bearer(await adminTokenOf(server)) }),
  };
}
