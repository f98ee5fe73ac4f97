// What an answer costs by who runs the agent, @openai/agents or our engine, and by whether a server is around it.
import { startDirect, startOurs, startOursWithSdk, type StartContestant } from '../contestants.ts';
import { withCpu } from '../cpu.ts';
import { tellDeviations, type Finding, type Row } from '../findings.ts';
import type { ClosedLoopResult, LoopJob } from '../load/jobs.ts';
import type { AgentsPlan } from '../options.ts';
import type { Bench } from '../pair.ts';
import { residentMb } from '../proc.ts';
import { median, pairedRatio } from '../statistics.ts';

const WAYS = ['SDK direct', 'SDK served', 'ours served', 'ours direct'] as const;
type Way = (typeof WAYS)[number];

/** What serving adds to either engine, and the engines against each other. */
const RATIOS: readonly { readonly what: string; readonly of: Way; readonly to: Way }[] = [
  { what: 'SDK: served/direct', of: 'SDK served', to: 'SDK direct' },
  { what: 'ours: served/direct', of: 'ours served', to: 'ours direct' },
  { what: 'served: ours/SDK', of: 'ours served', to: 'SDK served' },
  { what: 'direct: ours/SDK', of: 'ours direct', to: 'SDK direct' },
];

const WARM_UP_STEP_MS = 200;
/** On a machine that is too busy for so many answers. */
const WARM_UP_MOST_MS = 6000;

/** A process in which the agent runs. */
interface Runner {
  readonly pid: number;
  readonly run: (job: LoopJob) => Promise<ClosedLoopResult>;
}

interface Round {
  readonly cpuMs: number;
  readonly perSecond: number;
  /** Share of a core. */
  readonly busy: { readonly runner: number; readonly load: number; readonly model: number };
}

/** One worker each, so that every agent has one thread to run in. */
export async function measureAgents(bench: Bench, plan: AgentsPlan): Promise<Finding> {
  await using processes = bench.stack.use(new AsyncDisposableStack());
  const runners = await startRunners(bench, plan, processes);
  const deviations: string[] = [];

  const warmUp = async (way: Way) => {
    const startedMs = performance.now();
    let answers = 0;
    while (answers < plan.warmUpAnswers && performance.now() - startedMs < WARM_UP_MOST_MS) {
      const { completed, deviations: wrong } = await runners[way].run({ concurrency: plan.concurrency, durationMs: WARM_UP_STEP_MS });
      deviations.push(...tellDeviations(way, wrong));
      // Where answers are not whole, there may never be enough that are.
      if (wrong.count > 0) return;
      answers += completed;
    }
  };

  const round = async (way: Way): Promise<Round> => {
    const { pid, run } = runners[way];
    const pids = { runner: pid, load: bench.generator.pid, model: bench.model.pid };
    const [result, cpu] = await withCpu(pids, () => run({ concurrency: plan.concurrency, durationMs: plan.roundMs }));
    deviations.push(...tellDeviations(way, result.deviations));
    const seconds = result.elapsedMs / 1000;
    return {
      cpuMs: (cpu.runner * 1000) / result.completed,
      perSecond: result.completed / seconds,
      busy: { runner: cpu.runner / seconds, load: cpu.load / seconds, model: cpu.model / seconds },
    };
  };

  // Two at a time, as nothing is measured yet; the load generator takes one job at a time.
  const warmUpAll = async (...ways: readonly Way[]) => {
    for (const way of ways) await warmUp(way);
  };
  await Promise.all([warmUpAll('SDK direct', 'ours direct'), warmUpAll('SDK served', 'ours served')]);
  const rounds = byWay<Round[]>(() => []);
  for (let index = 0; index < plan.rounds; index++) for (const way of WAYS) rounds[way].push(await round(way));

  const cpuOf = (way: Way) => rounds[way].map(({ cpuMs }) => cpuMs);
  const ratioRows = RATIOS.map(({ what, of, to }): Row => {
    return { what, unit: 'of CPU', figures: WAYS.map(() => null), ratio: pairedRatio(cpuOf(of), cpuOf(to)) };
  });
  const row = (what: string, unit: string, figure: (way: Way) => number): Row => ({ what, unit, figures: WAYS.map(figure), ratio: null });
  const rows: Row[] = [
    row(`c=${plan.concurrency}`, 'CPU ms/answer', (way) => median(cpuOf(way))),
    row('', 'answers/s', (way) => median(rounds[way].map(({ perSecond }) => perSecond))),
    ...ratioRows,
    row('resident after that', 'MiB', (way) => residentMb(runners[way].pid)),
  ];
  const title = `the agent by @openai/agents and by our engine, 1 worker, ${plan.api}`;
  return { title, sides: WAYS, rows, aims: [], deviations, notes: WAYS.map((way) => tellBusy(way, rounds[way])) };
}

async function startRunners(bench: Bench, { api }: AgentsPlan, stack: AsyncDisposableStack): Promise<Readonly<Record<Way, Runner>>> {
  const setting = { modelPort: bench.model.port, api, pace: 'fast', workers: 1 } as const;
  const direct = (engine: 'sdk' | 'declarative') => startDirect(engine, setting, stack);
  const served = async (start: StartContestant): Promise<Runner> => {
    const { pid, port } = await start(setting, stack);
    const target = { port, kind: 'stream', path: '/chat/stream' } as const;
    return { pid, run: (job) => bench.generator.run({ type: 'closed_loop', target, ...job }) };
  };
  // Four of a kind: what then differs is the machine.
  if (bench.plan.selfCheck) {
    const same = [await direct('sdk'), await direct('sdk'), await direct('sdk'), await direct('sdk')] as const;
    return { 'SDK direct': same[0], 'SDK served': same[1], 'ours served': same[2], 'ours direct': same[3] };
  }
  return {
    'SDK direct': await direct('sdk'),
    'SDK served': await served(startOursWithSdk),
    'ours served': await served(startOurs),
    'ours direct': await direct('declarative'),
  };
}

function byWay<T>(make: (way: Way) => T): Record<Way, T> {
  return Object.fromEntries(WAYS.map((way) => [way, make(way)])) as Record<Way, T>;
}

function tellBusy(way: Way, rounds: readonly Round[]): string {
  const share = (part: keyof Round['busy']) => `${Math.round(100 * median(rounds.map(({ busy }) => busy[part])))} %`;
  return `${way}: of a core, its process ${share('runner')}, load ${share('load')}, model ${share('model')}`;
}
