// The CPU time that processes use while something runs.
import { cpuSeconds } from './proc.ts';

/** Runs `work`; resolves with its result and the CPU seconds that each named process used meanwhile. */
export async function withCpu<T, N extends string>(
  pids: Readonly<Record<N, number>>,
  work: () => Promise<T>,
): Promise<readonly [T, Readonly<Record<N, number>>]> {
  const read = () => Object.entries<number>(pids).map(([name, pid]) => [name, cpuSeconds(pid)] as const);
  const before = read();
  const result = await work();
  const used = read().map(([name, seconds], index) => [name, seconds - (before[index]?.[1] ?? 0)] as const);
  return [result, Object.fromEntries(used) as Record<N, number>];
}
