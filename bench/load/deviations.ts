// Counts the answers that were not whole, and keeps the first few for the report.
import type { Deviations } from './jobs.ts';

export interface DeviationLog {
  readonly add: (what: string) => void;
  /** So many that going on would tell nothing. */
  readonly tooMany: () => boolean;
  readonly result: () => Deviations;
}

const EXAMPLES = 3;
const LIMIT = 100;

export function createDeviationLog(): DeviationLog {
  const examples: string[] = [];
  let count = 0;
  const add = (what: string) => {
    count += 1;
    if (examples.length < EXAMPLES) examples.push(what);
  };
  return { add, tooMany: () => count >= LIMIT, result: () => ({ count, examples }) };
}
