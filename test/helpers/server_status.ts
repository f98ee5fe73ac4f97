// What a running server tells of itself by /status, and what the kernel tells of its process (Linux).
import { readFile, readdir } from 'node:fs/promises';
import { send } from './http_client.ts';
import type { StartedServer } from './process.ts';

interface WorkerStatus {
  readonly id: number;
  readonly state: string;
  readonly heap_mb: number;
}

interface ServerStatus {
  readonly active_requests: number;
  readonly queued_requests: number;
  readonly workers: readonly WorkerStatus[];
}

export async function statusOf({ url }: StartedServer): Promise<ServerStatus> {
  return (await send(url, '/status')).json as unknown as ServerStatus;
}

/** The ids of the workers when every one of so many is ready, and nothing runs; null before. */
export async function settledWorkers(server: StartedServer, count: number): Promise<readonly number[] | null> {
  const { workers, active_requests, queued_requests } = await statusOf(server);
  const settled = workers.length === count && workers.every(({ state }) => state === 'ready') && active_requests + queued_requests === 0;
  return settled ? workers.map(({ id }) => id) : null;
}

export interface ProcessFigures {
  readonly threads: number;
  readonly files: number;
  readonly residentMb: number;
}

export async function figuresOf({ process: { pid } }: Pick<StartedServer, 'process'>): Promise<ProcessFigures> {
  const own = `/proc/${pid}`;
  const [tasks, files, status] = await Promise.all([readdir(`${own}/task`), readdir(`${own}/fd`), readFile(`${own}/status`, 'utf8')]);
  const residentKb = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
  return { threads: tasks.length, files: files.length, residentMb: residentKb / 1024 };
}
