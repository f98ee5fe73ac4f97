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

/** Starts our server with either agent, one after the other, as often as the plan says. */
export async function measureAgentStart(bench: Bench): Promise<Finding> {
  const starters = { declarative: startOurs, 'SDK agent': bench.plan.selfCheck ? startOurs : startOursWithSdk };
  const rows: Row[] = [];
  for (const workers of WORKER_COUNTS) {
    const startMs: Record<Side, number[]> = { declarative: [], 'SDK agent': [] };
    const memoryMb: Record<Side, number[]> = { declarative: [], 'SDK agent': [] };
    for (let index = 0; index < bench.plan.agentStarts; index++) {
      await using servers = bench.stack.use(new AsyncDisposableStack());
      const setting = { modelPort: bench.model.port, api: 'responses', pace: 'fast', workers } as const;
      const started = [];
      for (const side of SIDES) started.push({ side, ...(await starters[side](setting, servers)) });
      await delay(SETTLE_MS);
      for (const { side, startedInMs, pid } of started) {
        startMs[side].push(startedInMs);
        memoryMb[side].push(residentMb(pid));
      }
    }
    const row = (what: string, unit: string, figures: Readonly<Record<Side, readonly number[]>>): Row => {
      return { what, unit, figures: SIDES.map((side) => median(figures[side])), ratio: pairedRatio(figures['SDK agent'], figures.declarative) };
    };
    rows.push(row(`start to ready, workers: ${workers}`, 'ms', startMs), row('resident, idle', 'MiB', memoryMb));
  }
  return { title: 'start and memory, by the kind of agent', sides: SIDES, rows, aims: [], deviations: [], notes: [] };
}
