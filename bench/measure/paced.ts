// Many streams of a model that sends a token every 20 ms: whether all come whole, and how late each token is behind the server.
import { TOKEN_INTERVAL_MS } from '../answer.ts';
import { withCpu } from '../cpu.ts';
import { tellDeviations, type Finding, type Row } from '../findings.ts';
import { SIDES, withPair, type Bench, type Side } from '../pair.ts';
import { median, pairedRatio } from '../statistics.ts';

interface Round {
  readonly eventsPerSecond: number;
  readonly latenessP50: number;
  readonly latenessP99: number;
  /** Share of a core. */
  readonly busy: number;
}

export function measurePaced(bench: Bench): Promise<Finding> {
  const { streams, durationMs, warmUps, pairs } = bench.plan.paced;
  return withPair(bench, 'chat_completions', 'paced', async (pair) => {
    const deviations: string[] = [];
    const whole: Record<Side, number> = { bare: 0, ours: 0 };

    const round = async (side: Side, forMs: number): Promise<Round> => {
      const target = { port: pair[side].port, kind: 'stream', path: '/chat/stream' } as const;
      const startedMs = performance.now();
      const [result, cpu] = await withCpu({ server: pair[side].pid }, () =>
        bench.generator.run({ type: 'paced', target, streams, durationMs: forMs }),
      );
      whole[side] += result.completed;
      deviations.push(...tellDeviations(`${side}, ${streams} paced streams`, result.deviations));
      return {
        eventsPerSecond: result.eventsPerSecond,
        latenessP50: result.lateness.p50,
        latenessP99: result.lateness.p99,
        busy: (100 * cpu.server * 1000) / (performance.now() - startedMs),
      };
    };

    for (let index = 0; index < warmUps; index++) for (const side of SIDES) await round(side, 0);
    const rounds: Record<Side, Round[]> = { bare: [], ours: [] };
    for (let index = 0; index < pairs; index++) for (const side of SIDES) rounds[side].push(await round(side, durationMs));

    const row = (what: string, unit: string, figure: (round: Round) => number): Row => {
      const bare = rounds.bare.map(figure);
      const ours = rounds.ours.map(figure);
      return { what, unit, figures: [median(bare), median(ours)], ratio: pairedRatio(ours, bare) };
    };
    const rows: Row[] = [
      { what: `${streams} streams, whole answers`, unit: 'streams', figures: [whole.bare, whole.ours], ratio: null },
      row('', 'text events/s', ({ eventsPerSecond }) => eventsPerSecond),
      row('a token is late, p50', 'ms', ({ latenessP50 }) => latenessP50),
      row('a token is late, p99', 'ms', ({ latenessP99 }) => latenessP99),
      row('of a core', '%', ({ busy }) => busy),
    ];
    const notes = [`the model offers ${(streams * 1000) / TOKEN_INTERVAL_MS} text events/s at most`];
    return { title: `a token every ${TOKEN_INTERVAL_MS} ms, chat_completions`, sides: SIDES, rows, aims: [], deviations, notes };
  });
}
