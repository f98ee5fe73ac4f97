// What an agent of @openai/agents costs our server before its first answer: a longer start, and memory in each worker.
import { setTimeout as delay } from 'node:timers/promises';
import { startOurs, startOursWithSdk } from '../contestants.ts';
import type { Finding, Row } from '../findings.ts';
import type { Bench } from '../pair.ts';
import { residentMb } from '../proc.ts';
import { median, pairedRatio } from '../statistics.ts';
import { SETTLE_MS } from './start.ts';

const WORKER_COUNTS = [1, 2];
const SIDES = ['declarative', 'SDK agent'] as const;
type Side = (typeof SIDES)[number];

/** One server, once. */
interface Start {
  readonly workers: number;
  readonly side: Side;
  readonly startedInMs: number;
  readonly memoryMb: number;
}

/** Starts our server with either agent, one server after the other, as often as the plan says. */
export async function measureAgentStart(bench: Bench): Promise<Finding> {
  const starts: Start[] = [];
  for (let index = 0; index < bench.plan.agentStarts; index++) starts.push(...(await startEach(bench)));
  const row = (what: string, unit: string, workers: number, figure: (start: Start) => number): Row => {
    const of = (side: Side) => starts.filter((start) => start.side === side && start.workers === workers).map(figure);
    return { what, unit, figures: SIDES.map((side) => median(of(side))), ratio: pairedRatio(of('SDK agent'), of('declarative')) };
  };
  const rows = WORKER_COUNTS.flatMap((workers) => [
    row(`start to ready, workers: ${workers}`, 'ms', workers, ({ startedInMs }) => startedInMs),
    row('resident, idle', 'MiB', workers, ({ memoryMb }) => memoryMb),
  ]);
  return { title: 'start and memory, by the kind of agent', sides: SIDES, rows, aims: [], deviations: [], notes: [] };
}

async function startEach(bench: Bench): Promise<Start[]> {
  const starters = { declarative: startOurs, 'SDK agent': bench.plan.selfCheck ? startOurs : startOursWithSdk };
  await using servers = bench.stack.use(new AsyncDisposableStack());
  const started = [];
  for (const workers of WORKER_COUNTS) {
    const setting = { modelPort: bench.model.port, api: 'responses', pace: 'fast', workers } as const;
    for (const side of SIDES) started.push({ workers, side, ...(await starters[side](setting, servers)) });
  }
  await delay(SETTLE_MS);
  return started.map(({ workers, side, startedInMs, pid }) => ({ workers, side, startedInMs, memoryMb: residentMb(pid) }));
}
