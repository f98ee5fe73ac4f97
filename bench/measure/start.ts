// How long a start takes until the server is ready, and how much memory it then holds.
import { setTimeout as delay } from 'node:timers/promises';
import type { Finding } from '../findings.ts';
import { SIDES, withPair, type Bench, type Side } from '../pair.ts';
import { residentMb } from '../proc.ts';
import { median } from '../statistics.ts';

const MOST_START_MS = 1000;
const MOST_RESIDENT_MB = 120;
/** What a start leaves behind is collected by then. */
export const SETTLE_MS = 1000;

/** Starts both servers anew, with an empty data directory, as often as the plan says. */
export async function measureStart(bench: Bench): Promise<Finding> {
  const startMs: Record<Side, number[]> = { bare: [], ours: [] };
  const memoryMb: Record<Side, number[]> = { bare: [], ours: [] };
  for (let index = 0; index < bench.plan.starts; index++) {
    await withPair(bench, 'chat_completions', 'fast', async (pair) => {
      await delay(SETTLE_MS);
      for (const side of SIDES) {
        startMs[side].push(pair[side].startedInMs);
        memoryMb[side].push(residentMb(pair[side].pid));
      }
    });
  }
  const start = median(startMs.ours);
  const memory = median(memoryMb.ours);
  return {
    title: 'start and memory',
    sides: SIDES,
    rows: [
      { what: `start to ready, ${bench.plan.workers} workers`, unit: 'ms', figures: [median(startMs.bare), start], ratio: null },
      { what: 'resident, idle', unit: 'MiB', figures: [median(memoryMb.bare), memory], ratio: null },
    ],
    aims: [
      { what: `ready in less than ${MOST_START_MS} ms`, measured: `${start.toFixed(0)} ms`, met: start < MOST_START_MS },
      { what: `less than ${MOST_RESIDENT_MB} MiB resident when idle`, measured: `${memory.toFixed(0)} MiB`, met: memory < MOST_RESIDENT_MB },
    ],
    deviations: [],
    notes: [],
  };
}
