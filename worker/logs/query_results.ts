// What the statements of query_statements.ts bring back.
import type { Figures, RowKey, Walk } from './query_database.ts';
import type { RowValues } from './row_text.ts';

export function totalOf(rows: readonly Figures[]): number {
  return Number(rows[0]?.['total']);
}

export function keysOf(rows: readonly Figures[]): RowKey[] {
  return rows.map((row) => ({ timestamp: String(row['key_time']), interactionId: String(row['key_id']), bytes: Number(row['bytes']) }));
}

/** Figures of which those of all are the sum of those of the days. */
const ADDED = [
  'total_interactions', 'successful_interactions', 'failed_interactions', 'partial_interactions', 'input_tokens_sum', 'output_tokens_sum', 'total_tokens_sum',
];

type PageWalk = Walk & { readonly offset: number };

/**
 * The way to a page that passes over fewer rows: one beyond the middle is reached from the other end.
 * @param total how many rows there are
 * @returns the walk, and what brings its keys into the order that was asked for; null where the page is behind the last row
 */
export function shortestWay(walk: PageWalk, total: number): { readonly walk: PageWalk; asAsked(keys: RowKey[]): RowKey[] } | null {
  const { offset, oldestFirst } = walk;
  if (offset >= total) return null;
  const limit = Math.min(walk.limit, total - offset);
  const behind = total - offset - limit;
  if (behind >= offset) return { walk, asAsked: (keys) => keys };
  return { walk: { ...walk, limit, offset: behind, oldestFirst: !oldestFirst }, asAsked: (keys) => keys.reverse() };
}

/** @param days the figures of each @param others of all, of one row each @returns what is told of all, and of each day */
export function statisticsOf(days: readonly Figures[], ...others: readonly (readonly Figures[])[]): { totals: Figures; days: readonly Figures[] } {
  const numbers = (name: string): number[] => days.map((day) => day[name] ?? null).filter((value) => value !== null).map(Number);
  const sum = (name: string): number => numbers(name).reduce((total, value) => total + value, 0);
  const outermost = (name: string, choose: (a: number, b: number) => number): number | null => {
    const values = numbers(name);
    return values.length === 0 ? null : values.reduce((a, b) => choose(a, b));
  };
  /** @param parts how many values the average of a day is of */
  const mean = (name: string, parts: string): number | null => {
    const total = days.reduce((added, day) => added + Number(day[name] ?? 0) * Number(day[parts]), 0);
    return sum(parts) === 0 ? null : total / sum(parts);
  };
  const totals = {
    ...Object.fromEntries(ADDED.map((name) => [name, sum(name)])),
    avg_response_time_ms: mean('avg_response_time_ms', 'response_times'),
    avg_time_to_first_token_ms: mean('avg_time_to_first_token_ms', 'first_token_times'),
    min_response_time_ms: outermost('min_response_time_ms', Math.min),
    max_response_time_ms: outermost('max_response_time_ms', Math.max),
  };
  const told = days.map((day) => {
    return { ...day, interactions: day['total_interactions'] ?? 0, failed: day['failed_interactions'] ?? 0, total_tokens: day['total_tokens_sum'] ?? 0 };
  });
  return { totals: Object.assign(totals, ...others.map(([row]) => row)) as Figures, days: told };
}

/** In the order of the keys; a row may have gone since its key was read. */
export function inOrder(keys: readonly RowKey[], rows: readonly RowValues[]): RowValues[] {
  const byId = new Map(rows.map((row) => [row['interaction_id'], row]));
  return keys.map(({ interactionId }) => byId.get(interactionId)).filter((row) => row !== undefined);
}

export function usersOf(rows: readonly Figures[]): { total: number; users: readonly Figures[] } {
  return { total: Number(rows[0]?.['total_users'] ?? 0), users: rows };
}
