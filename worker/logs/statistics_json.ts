// Figures of the log as /logs/stats and /logs/stats/users answer them.
import type { Figures } from './query_database.ts';

/** In the order of the answers. What is told in ms is rounded to 0.001 ms. */
const FIGURES = [
  'total_interactions', 'successful_interactions', 'failed_interactions', 'partial_interactions', 'unique_sessions', 'unique_users', 'avg_response_time_ms',
  'min_response_time_ms', 'max_response_time_ms', 'p50_response_time_ms', 'p95_response_time_ms', 'p99_response_time_ms', 'avg_time_to_first_token_ms',
  'input_tokens_sum', 'output_tokens_sum', 'total_tokens_sum',
] as const;
const DAY_FIGURES = ['date', 'interactions', 'failed', 'total_tokens', 'avg_response_time_ms'] as const;
const USER_FIGURES = ['user_id', ...FIGURES.filter((name) => name !== 'unique_users')] as const;

export function statsJson(agentName: string, { totals, days }: { totals: Figures; days: readonly Figures[] }): string {
  const statistics = { ...chosen(FIGURES, totals), by_day: days.map((day) => chosen(DAY_FIGURES, day)) };
  return JSON.stringify({ agent_name: agentName, database_active: true, statistics });
}

export function userStatsJson(agentName: string, { total, users }: { total: number; users: readonly Figures[] }): string {
  return JSON.stringify({ agent_name: agentName, database_active: true, total_users: total, user_statistics: users.map((user) => chosen(USER_FIGURES, user)) });
}

function chosen(names: readonly string[], figures: Figures): Figures {
  return Object.fromEntries(names.map((name) => [name, rounded(figures[name] ?? null)]));
}

function rounded(value: string | number | null): string | number | null {
  return typeof value === 'number' ? Math.round(value * 1000) / 1000 : value;
}
