// Medians and percentiles of what was measured.

export interface Summary {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** The value below which `share` (0–1) of the values lie, by nearest rank; NaN of nothing. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? NaN;
  return Number.isInteger(middle) ? ((sorted[middle - 1] ?? NaN) + upper) / 2 : upper;
}

export function summarize(values: readonly number[]): Summary {
  return { p50: percentile(values, 0.5), p99: percentile(values, 0.99), max: percentile(values, 1) };
}

/** A ratio measured in pairs: the median pair, and the least and the largest. */
export interface Ratio {
  readonly median: number;
  readonly least: number;
  readonly largest: number;
}

/** Divides pair by pair, so that what disturbs the machine for a while disturbs both sides of a pair alike. */
export function pairedRatio(ours: readonly number[], bare: readonly number[]): Ratio {
  const ratios = ours.map((value, index) => value / (bare[index] ?? NaN));
  return { median: median(ratios), least: Math.min(...ratios), largest: Math.max(...ratios) };
}
