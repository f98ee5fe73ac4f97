// The server that `chat` means when it is given no URL: the one that wrote its address last, and still runs.
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const FALLBACK = 'http://127.0.0.1:8000';
const serverFile = z.object({ pid: z.int().positive(), url: z.url({ protocol: /^https?$/ }) });

/** The URL in `<dataDir>/server.json` or, without a data directory, in the newest of those below `folder`. */
export async function findServerUrl(folder: string, dataDir: string | undefined): Promise<string> {
  const found = await Promise.all((dataDir ? [dataDir] : await dataDirsBelow(folder)).map((dir) => readServerFile(join(dir, 'server.json'))));
  const alive = found.filter((server) => server !== null).filter(({ pid }) => isAlive(pid));
  const newest = alive.toSorted((a, b) => b.writtenAt - a.writtenAt)[0];
  return (newest?.url ?? FALLBACK).replace(/\/+$/, '');
}

async function dataDirsBelow(folder: string): Promise<string[]> {
  const root = join(folder, '.oai-agent-server');
  const names = await readdir(root).catch(() => []);
  return names.map((name) => join(root, name));
}

/** null where there is none, or none that can be understood. */
async function readServerFile(file: string): Promise<{ pid: number; url: string; writtenAt: number } | null> {
  try {
    const { pid, url } = serverFile.parse(JSON.parse(await readFile(file, 'utf8')));
    return { pid, url, writtenAt: (await stat(file)).mtimeMs };
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
