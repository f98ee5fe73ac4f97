// What the log costs at a model's own pace: the same many streams to a server without it, and with it on either database.
import { TOKEN_INTERVAL_MS } from '../answer.ts';
import type { Aim, Finding } from '../findings.ts';
import { LEAST_RATE, startLogging } from '../log_sides.ts';
import type { Bench } from '../pair.ts';
import { postgresOf } from '../postgres.ts';
import { comparePaced } from './paced.ts';

export async function measureLogsPaced(bench: Bench): Promise<Finding> {
  await using servers = bench.stack.use(new AsyncDisposableStack());
  const postgres = await postgresOf(servers);
  const missing = typeof postgres === 'string' ? [`NOT MEASURED with PostgreSQL: ${postgres}`] : [];
  const sides = await startLogging(bench, 'paced', typeof postgres === 'string' ? null : postgres, servers);
  const { rows, ratios, deviations } = await comparePaced(bench, sides);
  const logging = sides.map(({ name }, index) => ({ name, ratio: ratios[index] ?? null })).slice(1);
  return {
    title: `log of interactions: ${bench.plan.paced.streams} streams, a token every ${TOKEN_INTERVAL_MS} ms`,
    sides: sides.map(({ name }) => name),
    rows: [...rows, ...logging.map(({ name, ratio }) => ({ what: `${name}/off`, unit: 'of the events/s', figures: sides.map(() => null), ratio }))],
    aims: logging.map(({ name, ratio }): Aim => {
      const share = ratio?.median ?? NaN;
      return { what: `${name}: at least ${LEAST_RATE} of the paced events/s without a log`, measured: share.toFixed(2), met: share >= LEAST_RATE };
    }),
    deviations,
    notes: missing,
  };
}
