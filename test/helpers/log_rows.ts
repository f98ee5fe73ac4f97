// A log with known rows in either database, and what /logs has to answer of them, worked out here a second time.
import { join } from 'node:path';
import type { Test } from 'tap';
import type { LogBackend, LogFilter } from '../../shared/log_protocol.ts';
import { LOG_STATUSES, type LogRecord } from '../../shared/log_record.ts';
import { POSTGRES_INSERT } from '../../worker/logs/columns.ts';
import { migrate } from '../../worker/logs/migrate.ts';
import { openPostgres } from '../../worker/logs/postgres_link.ts';
import { openSqliteStore } from '../../worker/logs/sqlite_store.ts';
import { makeFolder } from './folder.ts';
import { postgresOrSkip, type PostgresServer } from './postgres_server.ts';

/** Everything that matches: all of the agent `a`. */
export const EVERYTHING: LogFilter = {
  agentName: 'a', owner: null, sessionId: null, userId: null, endpoint: null, status: null, startDate: null, endDate: null,
};

/** Texts that are easily broken on the way. */
const TEXTS = [
  'plain', '', null, 'a "quoted" word', 'a,b;c', 'two\nlines', 'two\r\nlines', '=1+2', '+1', '-1', '@sum', '\tTab', '日本語 🙂', "it's", '\\ \u2028 \u0001 end', '{"json":true}',
];
const START_MS = Date.parse('2026-03-28T22:00:00.000Z');

/** @param number makes the row what it is; several share a moment, a session, a user */
export function knownRecord(number: number, fields: Partial<LogRecord> = {}): LogRecord {
  const status = LOG_STATUSES[number % 7 < LOG_STATUSES.length ? number % 7 : 0] ?? 'success';
  const ended = status !== 'interrupted';
  const tokens = ended && number % 4 !== 0 ? { input_tokens: number, output_tokens: number % 10, total_tokens: number + (number % 10) } : null;
  const text = TEXTS[number % TEXTS.length] ?? null;
  return {
    interaction_id: `${String(number * 7919).padStart(8, '0')}-0000-4000-8000-000000000000`,
    // Two and two at the same ms.
    timestamp: new Date(START_MS + (number >> 1) * 1_733_123).toISOString(),
    agent_name: number % 13 === 12 ? 'b' : 'a',
    session_id: `session ${number % 11}`,
    user_id: `user-${number % 5}`,
    owner: number % 3 === 0 ? 'anonymous' : `user:user-${number % 5}`,
    endpoint: number % 2 === 0 ? '/chat' : '/chat/stream',
    input_message: text,
    output_response: TEXTS[(number * 5 + 3) % TEXTS.length] ?? null,
    request_headers: { 'user-agent': 'a "browser"', accept: '*/*' },
    model_info: number % 6 === 0 ? null : { model_id: 'gpt-5-mini', provider: 'openai' },
    token_usage: tokens,
    total_tokens: tokens?.total_tokens ?? null,
    response_time_ms: ended ? (number * 37.125) % 5000 : null,
    time_to_first_token_ms: ended && number % 3 !== 0 ? (number * 11.5) % 700 : null,
    queue_ms: ended ? 0.25 : null,
    status,
    error_code: status === 'error' ? 'model_failed' : null,
    error_message: status === 'error' ? 'The model could not be used.' : null,
    files: number % 9 === 0 ? [{ name: 'a, "b".txt', type: 'text/plain', size: number }] : null,
    ...fields,
  };
}

/** Writes a logs.db of its own. */
export async function sqliteLog(t: Test, records: readonly LogRecord[]): Promise<LogBackend & { type: 'sqlite' }> {
  const file = join(await makeFolder(t), 'logs.db');
  const store = openSqliteStore(file, { agentName: 'a', retentionDays: 0, onDeadLetters: () => undefined, onReused: () => undefined });
  await store.add(records);
  await store.close();
  return { type: 'sqlite', file };
}

/** Starts a PostgreSQL with the table, where it is another day than in UTC, and fills it. @returns null where the machine has none, and the test is skipped */
export async function postgresLog(t: Test, records: readonly LogRecord[]): Promise<(LogBackend & { type: 'postgres'; server: PostgresServer }) | null> {
  const server = await postgresOrSkip(t, { settings: { timezone: 'Pacific/Auckland' } });
  if (server === null) return null;
  const link = openPostgres(server.url);
  await migrate(link);
  await link.query(POSTGRES_INSERT, [JSON.stringify(records)]);
  await link.close();
  return { type: 'postgres', url: server.url, server };
}

/** Those that match, oldest first. */
export function matching(records: readonly LogRecord[], filter: LogFilter): LogRecord[] {
  const found = records.filter(
    (record) =>
      record.agent_name === filter.agentName &&
      (filter.owner === null || record.owner === filter.owner) &&
      (filter.sessionId === null || record.session_id === filter.sessionId) &&
      (filter.userId === null || record.user_id === filter.userId) &&
      (filter.endpoint === null || record.endpoint === filter.endpoint) &&
      (filter.status === null || record.status === filter.status) &&
      (filter.startDate === null || record.timestamp >= filter.startDate) &&
      (filter.endDate === null || record.timestamp < filter.endDate),
  );
  return found.toSorted((a, b) => compare(a.timestamp, b.timestamp) || compare(a.interaction_id, b.interaction_id));
}

export function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

/** As the statistics have to be. */
export function figuresOf(records: readonly LogRecord[]): Record<string, unknown> {
  const times = numbers(records.map((record) => record.response_time_ms)).toSorted((a, b) => a - b);
  const having = (...statuses: readonly string[]): number => records.filter(({ status }) => statuses.includes(status)).length;
  return {
    total_interactions: records.length,
    successful_interactions: having('success'),
    failed_interactions: having('error', 'timeout'),
    partial_interactions: having('cancelled', 'interrupted'),
    unique_sessions: new Set(records.map((record) => record.session_id)).size,
    unique_users: new Set(records.map((record) => record.user_id)).size,
    avg_response_time_ms: mean(times),
    min_response_time_ms: times[0] ?? null,
    max_response_time_ms: times.at(-1) ?? null,
    p50_response_time_ms: percentile(times, 0.5),
    p95_response_time_ms: percentile(times, 0.95),
    p99_response_time_ms: percentile(times, 0.99),
    avg_time_to_first_token_ms: mean(numbers(records.map((record) => record.time_to_first_token_ms))),
    input_tokens_sum: sum(records.map((record) => record.token_usage?.input_tokens ?? 0)),
    output_tokens_sum: sum(records.map((record) => record.token_usage?.output_tokens ?? 0)),
    total_tokens_sum: sum(records.map((record) => record.total_tokens ?? 0)),
  };
}

export function daysOf(records: readonly LogRecord[]): Record<string, unknown>[] {
  const days = Map.groupBy(records, ({ timestamp }) => timestamp.slice(0, 10));
  return [...days].toSorted(([a], [b]) => compare(a, b)).map(([date, those]) => {
    const figures = figuresOf(those);
    return {
      date,
      interactions: those.length,
      failed: figures['failed_interactions'],
      total_tokens: figures['total_tokens_sum'],
      avg_response_time_ms: figures['avg_response_time_ms'],
    };
  });
}

function numbers(values: readonly (number | null)[]): number[] {
  return values.filter((value) => value !== null);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : sum(values) / values.length;
}

/** Between the two nearest, as they lie. @param values in ascending order */
function percentile(values: readonly number[], fraction: number): number | null {
  if (values.length === 0) return null;
  const place = fraction * (values.length - 1);
  const below = values[Math.floor(place)] as number;
  return below + ((values[Math.ceil(place)] as number) - below) * (place % 1);
}
