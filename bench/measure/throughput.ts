// As many answers as each server can give: requests and events a second, and what they cost in CPU time.
import { TOKEN_COUNT } from '../answer.ts';
import { withCpu } from '../cpu.ts';
import { tellDeviations, type Aim, type Finding, type Row } from '../findings.ts';
import type { Target } from '../load/jobs.ts';
import type { ThroughputPlan } from '../options.ts';
import { SIDES, withPair, type Bench, type Side } from '../pair.ts';
import { residentMb } from '../proc.ts';
import { median, pairedRatio } from '../statistics.ts';

/** start, every piece of text, output. */
const EVENTS_PER_STREAM = TOKEN_COUNT + 2;
const ROUTES = {
  chat: { path: '/chat', unit: 'requests/s', factor: 1 },
  stream: { path: '/chat/stream', unit: 'events/s', factor: EVENTS_PER_STREAM },
};
type Kind = keyof typeof ROUTES;

/** One server in one round. */
interface Round {
  readonly perSecond: number;
  readonly cpuPerThousand: number;
  /** Share of a core. */
  readonly busy: { readonly server: number; readonly load: number; readonly model: number };
}

interface Load {
  readonly kind: Kind;
  readonly concurrency: number;
}

export function measureThroughput(bench: Bench, plan: ThroughputPlan): Promise<Finding> {
  return withPair(bench, plan.api, 'fast', async (pair) => {
    const rows: Row[] = [];
    const aims: Aim[] = [];
    const deviations: string[] = [];
    const notes: string[] = [];

    const round = async (side: Side, { kind, concurrency }: Load, durationMs: number): Promise<Round> => {
      const { port, pid } = pair[side];
      const { path } = ROUTES[kind];
      const target: Target = { port, kind, path };
      const pids = { server: pid, load: bench.generator.pid, model: bench.model.pid };
      const [result, cpu] = await withCpu(pids, () => bench.generator.run({ type: 'closed_loop', target, concurrency, durationMs }));
      deviations.push(...tellDeviations(`${side} ${path}`, result.deviations));
      const seconds = result.elapsedMs / 1000;
      return {
        perSecond: (result.completed * ROUTES[kind].factor) / seconds,
        cpuPerThousand: (cpu.server * 1000) / result.completed,
        busy: { server: cpu.server / seconds, load: cpu.load / seconds, model: cpu.model / seconds },
      };
    };

    const compare = async (load: Load) => {
      const rounds: Record<Side, Round[]> = { bare: [], ours: [] };
      for (const side of SIDES) await round(side, load, plan.warmUpMs);
      for (let index = 0; index < plan.pairs; index++) for (const side of SIDES) rounds[side].push(await round(side, load, plan.roundMs));

      const { path, unit } = ROUTES[load.kind];
      const what = `${path} c=${load.concurrency}`;
      const rate = toRow(what, unit, rounds, ({ perSecond }) => perSecond);
      rows.push(rate, toRow('', 'CPU s/1,000 answers', rounds, ({ cpuPerThousand }) => cpuPerThousand));
      notes.push(...SIDES.map((side) => tellBusy(what, side, rounds[side])));
      const ratio = rate.ratio?.median ?? NaN;
      aims.push({ what: `${plan.api} ${what}: ${unit} at least those of bare`, measured: `ratio ${ratio.toFixed(2)}`, met: ratio >= 1 });
    };

    for (const kind of ['chat', 'stream'] as const) {
      if (!bench.plan.stages.has(kind)) continue;
      for (const concurrency of plan.concurrencies) await compare({ kind, concurrency });
    }
    rows.push({ what: 'resident after that', unit: 'MiB', figures: SIDES.map((side) => residentMb(pair[side].pid)), ratio: null });
    return { title: `as fast as it goes, ${plan.api}`, sides: SIDES, rows, aims, deviations, notes };
  });
}

function toRow(what: string, unit: string, rounds: Readonly<Record<Side, readonly Round[]>>, figure: (round: Round) => number): Row {
  const bare = rounds.bare.map(figure);
  const ours = rounds.ours.map(figure);
  return { what, unit, figures: [median(bare), median(ours)], ratio: pairedRatio(ours, bare) };
}

function tellBusy(what: string, side: Side, rounds: readonly Round[]): string {
  const share = (part: keyof Round['busy']) => `${part} ${Math.round(100 * median(rounds.map(({ busy }) => busy[part])))} %`;
  return `${what}, ${side}: of a core, ${share('server')}, ${share('load')}, ${share('model')}`;
}
