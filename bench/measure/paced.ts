// Many streams of a model that sends a token every 20 ms: whether all come whole, and how late each token is behind the server.
import { TOKEN_INTERVAL_MS } from '../answer.ts';
import type { Contestant } from '../contestants.ts';
import { withCpu } from '../cpu.ts';
import { tellDeviations, type Finding, type Row } from '../findings.ts';
import { SIDES, withPair, type Bench } from '../pair.ts';
import { median, pairedRatio, type Ratio } from '../statistics.ts';

interface Round {
  readonly completed: number;
  readonly eventsPerSecond: number;
  readonly latenessP50: number;
  readonly latenessP99: number;
  /** Share of a core. */
  readonly busy: number;
}

/** A server whose agent has the paced model. */
interface PacedSide extends Contestant {
  readonly name: string;
}

interface PacedRows {
  readonly rows: readonly Row[];
  /** Of the events/s of each side to those of the first, in the order of the sides. */
  readonly ratios: readonly Ratio[];
  readonly deviations: readonly string[];
}

export function measurePaced(bench: Bench): Promise<Finding> {
  const { streams } = bench.plan.paced;
  return withPair(bench, 'chat_completions', 'paced', async (pair) => {
    const { rows, deviations } = await comparePaced(bench, SIDES.map((name) => ({ name, ...pair[name] })));
    const notes = [`the model offers ${(streams * 1000) / TOKEN_INTERVAL_MS} text events/s at most`];
    return { title: `a token every ${TOKEN_INTERVAL_MS} ms, chat_completions`, sides: SIDES, rows, aims: [], deviations, notes };
  });
}

/** Streams to each server by turns. A ratio is shown where there are two. */
export async function comparePaced({ plan, generator }: Bench, sides: readonly PacedSide[]): Promise<PacedRows> {
  const { streams, durationMs, warmUps, pairs } = plan.paced;
  const deviations: string[] = [];
  const round = async ({ name, port, pid }: PacedSide, forMs: number): Promise<Round> => {
    const target = { port, kind: 'stream', path: '/chat/stream' } as const;
    const startedMs = performance.now();
    const [result, cpu] = await withCpu({ server: pid }, () => generator.run({ type: 'paced', target, streams, durationMs: forMs }));
    deviations.push(...tellDeviations(`${name}, ${streams} paced streams`, result.deviations));
    return {
      completed: result.completed,
      eventsPerSecond: result.eventsPerSecond,
      latenessP50: result.lateness.p50,
      latenessP99: result.lateness.p99,
      busy: (100 * cpu.server * 1000) / (performance.now() - startedMs),
    };
  };

  for (let index = 0; index < warmUps; index++) for (const side of sides) await round(side, 0);
  const rounds = sides.map((): Round[] => []);
  for (let index = 0; index < pairs; index++) for (const [at, side] of sides.entries()) rounds[at]?.push(await round(side, durationMs));

  const ratiosOf = (figure: (round: Round) => number): readonly Ratio[] => rounds.map((own) => pairedRatio(own.map(figure), (rounds[0] ?? []).map(figure)));
  const row = (what: string, unit: string, figure: (round: Round) => number): Row => {
    const figures = rounds.map((own) => median(own.map(figure)));
    return { what, unit, figures, ratio: sides.length === 2 ? (ratiosOf(figure)[1] ?? null) : null };
  };
  const whole = rounds.map((own) => own.reduce((sum, { completed }) => sum + completed, 0));
  const rows: Row[] = [
    { what: `${streams} streams, whole answers`, unit: 'streams', figures: whole, ratio: null },
    row('', 'text events/s', ({ eventsPerSecond }) => eventsPerSecond),
    row('a token is late, p50', 'ms', ({ latenessP50 }) => latenessP50),
    row('a token is late, p99', 'ms', ({ latenessP99 }) => latenessP99),
    row('of a core', '%', ({ busy }) => busy),
  ];
  return { rows, ratios: ratiosOf(({ eventsPerSecond }) => eventsPerSecond), deviations };
}
