// The pair of servers that a measurement compares, behind the same model, and gone when it is done.
import type { Api, Pace } from './apis.ts';
import { startBare, startOurs, type Contestant } from './contestants.ts';
import type { Generator, Model } from './generator.ts';
import type { Plan } from './options.ts';

/** What every measurement works with. */
export interface Bench {
  readonly plan: Plan;
  readonly model: Model;
  readonly generator: Generator;
  /** Ends all that the bench has started, also when it is interrupted. */
  readonly stack: AsyncDisposableStack;
}

export const SIDES = ['bare', 'ours'] as const;
export type Side = (typeof SIDES)[number];

/** Runs `measure` with both servers up; ends them afterwards. */
export async function withPair<T>(bench: Bench, api: Api, pace: Pace, measure: (pair: Readonly<Record<Side, Contestant>>) => Promise<T>): Promise<T> {
  await using servers = bench.stack.use(new AsyncDisposableStack());
  const setting = { modelPort: bench.model.port, api, pace, workers: bench.plan.workers };
  const bare = await startBare(setting, servers);
  const ours = await (bench.plan.selfCheck ? startBare : startOurs)(setting, servers);
  return await measure({ bare, ours });
}
