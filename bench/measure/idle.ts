// What a server adds to the time until the first token when it has nothing else to do.
import { API_PATHS } from '../apis.ts';
import { tellDeviations, type Finding, type Row } from '../findings.ts';
import { SIDES, withPair, type Bench } from '../pair.ts';
import type { Summary } from '../statistics.ts';

const MOST_ADDED_MS = 2;
const UNKNOWN: Summary = { p50: NaN, p99: NaN, max: NaN };

/** Asks the model itself, the bare server and ours by turns. */
export function measureIdle(bench: Bench): Promise<Finding> {
  return withPair(bench, 'chat_completions', 'fast', async ({ bare, ours }) => {
    const targets = [
      { port: bench.model.port, kind: 'model', path: `/fast/v1${API_PATHS.chat_completions}` },
      { port: bare.port, kind: 'stream', path: '/chat/stream' },
      { port: ours.port, kind: 'stream', path: '/chat/stream' },
    ] as const;
    const { firstToken, deviations } = await bench.generator.run({ type: 'first_tokens', targets, count: bench.plan.idleRequests });
    const [direct = UNKNOWN, ofBare = UNKNOWN, ofOurs = UNKNOWN] = firstToken;
    const row = (what: string, figure: (summary: Summary) => number): Row => {
      return { what, unit: 'ms', figures: [figure(ofBare), figure(ofOurs)], ratio: null };
    };
    const added = ofOurs.p50 - direct.p50;
    return {
      title: 'first token, one request at a time, chat_completions',
      sides: SIDES,
      rows: [
        row('time to first token, p50', ({ p50 }) => p50),
        row('time to first token, p99', ({ p99 }) => p99),
        row('added to the model itself, p50', ({ p50 }) => p50 - direct.p50),
        row('added to the model itself, p99', ({ p99 }) => p99 - direct.p99),
        { what: 'added to bare, p50', unit: 'ms', figures: [null, ofOurs.p50 - ofBare.p50], ratio: null },
        { what: 'added to bare, p99', unit: 'ms', figures: [null, ofOurs.p99 - ofBare.p99], ratio: null },
      ],
      aims: [{ what: `first token: less than ${MOST_ADDED_MS} ms added`, measured: `${added.toFixed(2)} ms at p50`, met: added < MOST_ADDED_MS }],
      deviations: tellDeviations('first tokens', deviations),
      notes: [`the model itself: p50 ${direct.p50.toFixed(2)} ms, p99 ${direct.p99.toFixed(2)} ms`],
    };
  });
}
