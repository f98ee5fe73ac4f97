// The servers that run on this machine, by their data directories.
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const serverFile = z.object({ pid: z.int().positive(), supervisor_pid: z.int().positive().optional(), url: z.url({ protocol: /^https?$/ }) });

/** A server whose process lives, or that of its launcher. */
export interface LiveServer {
  readonly dataDir: string;
  readonly url: string;
  readonly pid: number;
}

interface FoundServer extends LiveServer {
  readonly writtenAt: number;
  /** Its own, where a launcher has started it, which may be killed before it. */
  readonly supervisorPid: number;
}

/** Those of these data directories, newest first. */
export async function findLiveServers(dataDirs: readonly string[]): Promise<LiveServer[]> {
  const found = await Promise.all(dataDirs.map(readServerFile));
  const alive = found.filter((server) => server !== null).filter(({ pid, supervisorPid }) => isAlive(pid) || isAlive(supervisorPid));
  return alive.toSorted((a, b) => b.writtenAt - a.writtenAt);
}

export async function dataDirsBelow(folder: string): Promise<string[]> {
  const root = join(folder, '.oai-agent-server');
  const names = await readdir(root).catch(() => []);
  return names.map((name) => join(root, name));
}

/** null where there is none, or none that can be understood. */
async function readServerFile(dataDir: string): Promise<FoundServer | null> {
  const file = join(dataDir, 'server.json');
  try {
    const { pid, supervisor_pid: supervisorPid = pid, url } = serverFile.parse(JSON.parse(await readFile(file, 'utf8')));
    return { dataDir, pid, supervisorPid, url: url.replace(/\/+$/, ''), writtenAt: (await stat(file)).mtimeMs };
  } catch {
    return null;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It runs, but as another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
