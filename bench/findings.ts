// What a measurement hands to the report: rows of figures, aims, and the answers that were not whole.
import type { Deviations } from './load/jobs.ts';
import type { Ratio } from './statistics.ts';

export interface Row {
  readonly what: string;
  readonly unit: string;
  /** One for each of the finding's sides, in their order; null where there is none. */
  readonly figures: readonly (number | null)[];
  readonly ratio: Ratio | null;
}

export interface Aim {
  readonly what: string;
  readonly measured: string;
  readonly met: boolean;
}

export interface Finding {
  readonly title: string;
  /** Who is compared. */
  readonly sides: readonly string[];
  readonly rows: readonly Row[];
  readonly aims: readonly Aim[];
  readonly deviations: readonly string[];
  /** How busy the bench's own processes were, and other things to know when reading the rows. */
  readonly notes: readonly string[];
}

/** A line that names the server and what was wrong with its answers; none where all were whole. */
export function tellDeviations(server: string, { count, examples }: Deviations): string[] {
  return count === 0 ? [] : [`${server}: ${count} answers were not whole, such as: ${examples.join(' | ')}`];
}
