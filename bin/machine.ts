// What the machine offers to this process: CPUs and memory, a container's limits included.
import { readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import type { Machine } from '../shared/config.ts';

/** Reads the limits once; they are not followed when they change. */
export function readMachine(): Machine {
  const quota = readCpuQuota('/');
  const limit = process.constrainedMemory();
  // 0 where nothing is known, and a number far beyond the memory where a cgroup of version 1 sets no limit.
  const memory = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  return {
    parallelism: Math.max(1, Math.min(availableParallelism(), quota === null ? Infinity : Math.ceil(quota))),
    memoryMb: Math.floor(memory / (1024 * 1024)),
  };
}

/**
 * The CPU quota of this process's cgroup and of those above it, in CPUs, the least of them; null where there is none.
 * Both versions: https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max), https://docs.kernel.org/scheduler/sched-bwc.html (cpu.cfs_quota_us).
 * @param root where the system's files are, `/`
 */
export function readCpuQuota(root: string): number | null {
  const quotas = (readText(join(root, 'proc/self/cgroup')) ?? '').split('\n').flatMap((line) => {
    const [, controllers = '', path = '/'] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers === '' && line.startsWith('0:')) return levels(path).map((level) => quotaV2(join(root, 'sys/fs/cgroup', level)));
    if (controllers.split(',').includes('cpu')) return levels(path).map((level) => quotaV1(join(root, 'sys/fs/cgroup/cpu', level)));
    return [];
  });
  const known = quotas.filter((quota) => quota !== null);
  return known.length === 0 ? null : Math.min(...known);
}

/** A cgroup's path and every path above it: each may have a quota, and in a container the lower ones may not be visible. */
function levels(path: string): string[] {
  const above = dirname(path);
  return above === path ? [path] : [path, ...levels(above)];
}

function quotaV2(folder: string): number | null {
  const [quota, period] = (readText(join(folder, 'cpu.max')) ?? '').trim().split(' ');
  return ratio(quota, period);
}

function quotaV1(folder: string): number | null {
  return ratio(readText(join(folder, 'cpu.cfs_quota_us')), readText(join(folder, 'cpu.cfs_period_us')));
}

/** `max` and -1 stand for no quota. */
function ratio(quota: string | null | undefined, period: string | null | undefined): number | null {
  const cpus = Number(quota ?? NaN) / Number(period ?? NaN);
  return Number.isFinite(cpus) && cpus > 0 ? cpus : null;
}

function readText(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
