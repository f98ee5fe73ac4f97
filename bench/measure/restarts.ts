// What clients notice of new versions that are put in place under load: ours, PM2's reload, and a plain server that is stopped and started again.
import { setTimeout as delay } from 'node:timers/promises';
import { startCountedLoad, type Tally } from '../../test/helpers/counted_load.ts';
import type { Finding, Row } from '../findings.ts';
import type { Bench } from '../pair.ts';
import { startOurs, startPlain, startPm2, type Reloaded } from '../restart/contestants.ts';

const SIDES = ['ours, HUP', 'PM2 reload', 'server.close()'] as const;
const VERSION_TIMEOUT_MS = 60_000;

interface Measured {
  readonly whole: number;
  readonly tally: Tally;
  /** From the order to the first answer of the new version, of each round. */
  readonly tookMs: readonly number[];
}

/** The same load on each, one after the other; its clients never ask twice. */
export async function measureRestarts(bench: Bench): Promise<Finding> {
  const measured: Measured[] = [];
  for (const start of [startOurs, startPm2, startPlain]) {
    await using stack = bench.stack.use(new AsyncDisposableStack());
    measured.push(await measureOne(start.name, await start(stack), bench));
  }
  const { rounds, load } = bench.plan.restarts;
  const row = (what: string, unit: string, figure: (one: Measured) => number): Row => ({ what, unit, figures: measured.map(figure), ratio: null });
  const failed = measured.map(({ tally }) => tally.failures.length);
  return {
    title: `${rounds} new versions under ${load.streams} streams, ${load.keptAlive} clients that keep their connection and ${load.fresh} that do not`,
    sides: SIDES,
    rows: [
      row('requests', '', ({ whole, tally }) => whole + tally.failures.length),
      row('failed', '', ({ tally }) => tally.failures.length),
      row('failed, of a million', '', ({ whole, tally }) => (tally.failures.length / (whole + tally.failures.length)) * 1e6),
      row('until the new version answers, median', 'ms', ({ tookMs }) => tookMs.toSorted((a, b) => a - b)[Math.floor(tookMs.length / 2)] ?? NaN),
      row('slowest answer that is not streamed', 'ms', ({ tally }) => tally.slowestMs),
    ],
    aims: [{ what: 'ours fails none', measured: `${failed[0]} failed`, met: failed[0] === 0 }],
    deviations: [],
    notes: measured.flatMap(({ tally }, index) => [...kinds(tally)].map(([kind, count]) => `${SIDES[index]}: ${count} × ${kind}`)),
  };
}

async function measureOne(name: string, server: Reloaded, { plan: { restarts: { rounds, load: shape } } }: Bench): Promise<Measured> {
  const load = startCountedLoad(server.url, shape, 50);
  const tookMs: number[] = [];
  for (let round = 2; round <= rounds + 1; round += 1) {
    const version = `v${round}`;
    const began = performance.now();
    await server.put(version);
    await answers(name, load.tally, version, began);
    tookMs.push(performance.now() - began);
  }
  return { whole: await load.stop(), tally: load.tally, tookMs };
}

async function answers(name: string, tally: Tally, version: string, began: number): Promise<void> {
  while (!tally.answers.has(version)) {
    if (performance.now() - began > VERSION_TIMEOUT_MS) throw new Error(`${name}: no answer of version ${version}; ${[...kinds(tally)].join('; ')}`);
    await delay(5);
  }
}

/** Failures by what they are, without what differs from one to the next. */
function kinds({ failures }: Tally): Map<string, number> {
  const counts = new Map<string, number>();
  for (const failure of failures) {
    const kind = failure.replaceAll(/\d+\.\d+\.\d+\.\d+:\d+/g, 'the server').slice(0, 60).replaceAll('\n', ' ');
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}
