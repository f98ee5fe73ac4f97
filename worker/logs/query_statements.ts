// The statements that read the log, in the words of either database: fixed texts, into which values go as parameters only.
import type { LogFilter } from '../../shared/log_protocol.ts';
import { COLUMNS } from './row_text.ts';
import type { RowKey, Walk } from './query_database.ts';

/** What the two databases say differently. */
export interface Dialect {
  parameter(index: number): string;
  /** Of a column of times: a text of its own exactness, that the database takes back. */
  exactTime(column: string): string;
  /** ISO 8601 with ms, UTC. */
  isoTime(column: string): string;
  /** The UTC date, to group by. */
  day(column: string): string;
  /** The text YYYY-MM-DD of a `day`. */
  date(day: string): string;
  /** One for each fraction. */
  percentiles(column: string, fractions: readonly number[]): readonly string[];
  /** The column, where no index of it is to be used: SQLite would take any that it can, however little that one leaves out. */
  unindexed(column: string): string;
  /** Whether the column is one of the list in the parameter. */
  isOneOf(column: string, parameter: string): string;
}

export interface Statement {
  readonly text: string;
  readonly values: readonly unknown[];
}

/** Of answers by user. */
const MAX_USERS = 1000;

const CONDITIONS = {
  agentName: 'agent_name =',
  sessionId: 'session_id =',
  userId: 'user_id =',
  owner: 'owner =',
  status: 'status =',
  endpoint: 'endpoint =',
  startDate: '"timestamp" >=',
  endDate: '"timestamp" <',
} as const satisfies Record<keyof LogFilter, string>;

/** Those of which at most one is looked up in its index: the first, as it leaves fewest. Beside a status an endpoint is one more thing to count in the index by time. */
const CHOICES: readonly (keyof LogFilter)[] = ['sessionId', 'userId', 'owner', 'endpoint', 'status'];

export interface Statements {
  count(filter: LogFilter): Statement;
  /** Of the first rows after `offset`. */
  page(walk: Walk & { readonly offset: number }): Statement;
  /** Of the first rows after `after`. */
  keys(walk: Walk & { readonly after: RowKey | null }): Statement;
  rows(keys: readonly RowKey[]): Statement;
  one(filter: LogFilter, interactionId: string): Statement;
  /**
   * The figures of each day that add up to those of all: one pass for both. They are three statements, each as fast as it can be alone: percentiles keep
   * PostgreSQL from sharing the work out, and count(DISTINCT …) makes it sort.
   */
  days(filter: LogFilter): Statement;
  percentiles(filter: LogFilter): Statement;
  unique(filter: LogFilter): Statement;
  users(filter: LogFilter): Statement;
}

export function statementsOf(dialect: Dialect): Statements {
  const columns = COLUMNS.map(({ name, kind }) => (kind === 'time' ? `${dialect.isoTime(`"${name}"`)} AS "${name}"` : `"${name}"`)).join(', ');
  const percentiles = percentilesOf(dialect);

  /** The keys of rows that a subquery chooses: from the index alone, before any row is looked at for the length of its texts. */
  const keysOf = (where: string, oldestFirst: boolean, bounds: string): string => {
    const order = oldestFirst ? '"timestamp", interaction_id' : '"timestamp" DESC, interaction_id DESC';
    const outer = oldestFirst ? 'k."timestamp", k.interaction_id' : 'k."timestamp" DESC, k.interaction_id DESC';
    return `
      SELECT ${dialect.exactTime('k."timestamp"')} AS key_time, k.interaction_id AS key_id,
        coalesce(octet_length(l.input_message), 0) + coalesce(octet_length(l.output_response), 0) AS bytes
      FROM (SELECT "timestamp", interaction_id FROM chat_logs WHERE ${where} ORDER BY ${order} ${bounds}) AS k
      JOIN chat_logs AS l ON l.interaction_id = k.interaction_id ORDER BY ${outer}`;
  };

  return {
    count(filter) {
      const { where, values } = matching(dialect, filter);
      return { text: `SELECT count(*) AS total FROM chat_logs WHERE ${where}`, values };
    },
    page({ filter, oldestFirst, limit, offset }) {
      const { where, values, bind } = matching(dialect, filter);
      return { text: keysOf(where, oldestFirst, `LIMIT ${bind(limit)} OFFSET ${bind(offset)}`), values };
    },
    keys({ filter, oldestFirst, limit, after }) {
      const { where, values, bind } = matching(dialect, filter);
      const beyond = after === null ? '' : ` AND ("timestamp", interaction_id) ${oldestFirst ? '>' : '<'} (${bind(after.timestamp)}, ${bind(after.interactionId)})`;
      return { text: keysOf(where + beyond, oldestFirst, `LIMIT ${bind(limit)}`), values };
    },
    rows(keys) {
      const ids = keys.map(({ interactionId }) => interactionId);
      return { text: `SELECT ${columns} FROM chat_logs WHERE ${dialect.isOneOf('interaction_id', dialect.parameter(1))}`, values: [ids] };
    },
    one(filter, interactionId) {
      const { where, values, bind } = matching(dialect, filter);
      return { text: `SELECT ${columns} FROM chat_logs WHERE ${where} AND interaction_id = ${bind(interactionId)}`, values };
    },
    days(filter) {
      const { where, values } = matching(dialect, filter);
      const day = dialect.day('"timestamp"');
      return { text: `SELECT ${dialect.date(day)} AS date, ${FIGURES}, ${PARTS} FROM chat_logs WHERE ${where} GROUP BY ${day} ORDER BY 1`, values };
    },
    percentiles(filter) {
      const { where, values } = matching(dialect, filter);
      return { text: `SELECT ${percentiles} FROM chat_logs WHERE ${where}`, values };
    },
    unique(filter) {
      const { where, values, isNarrow } = matching(dialect, filter);
      const unique = (column: string): string =>
        `(SELECT count(*) FROM (SELECT DISTINCT ${isNarrow ? dialect.unindexed(column) : column} FROM chat_logs WHERE ${where}) AS u)`;
      return { text: `SELECT ${unique('session_id')} AS unique_sessions, ${unique('user_id')} AS unique_users`, values };
    },
    users(filter) {
      const { where, values } = matching(dialect, filter);
      const text = `
        SELECT user_id, ${FIGURES}, ${percentiles}, count(DISTINCT session_id) AS unique_sessions, count(*) OVER () AS total_users
        FROM chat_logs WHERE ${where} GROUP BY ${dialect.unindexed('user_id')} ORDER BY total_interactions DESC, user_id LIMIT ${MAX_USERS}`;
      return { text, values };
    },
  };
}

/** The condition that a filter is, what binds further values, and whether it leaves few rows. */
function matching(dialect: Dialect, filter: LogFilter): { where: string; values: unknown[]; bind(value: unknown): string; isNarrow: boolean } {
  const values: unknown[] = [];
  const bind = (value: unknown): string => dialect.parameter(values.push(value));
  const names = (Object.keys(CONDITIONS) as (keyof LogFilter)[]).filter((name) => filter[name] !== null);
  const first = CHOICES.find((name) => filter[name] !== null);
  const conditions = names.map((name) => {
    const condition = `${CONDITIONS[name]} ${bind(filter[name])}`;
    return name === first || !CHOICES.includes(name) ? condition : dialect.unindexed(condition);
  });
  return { where: conditions.join(' AND '), values, bind, isNarrow: first === 'sessionId' || first === 'userId' || first === 'owner' };
}

/** The three groups of statuses together are all. Sums are not of integers, which a figure of an agent's own making could end with an overflow. */
const FIGURES = `
    count(*) AS total_interactions,
    count(*) FILTER (WHERE status = 'success') AS successful_interactions,
    count(*) FILTER (WHERE status IN ('error', 'timeout')) AS failed_interactions,
    count(*) FILTER (WHERE status IN ('cancelled', 'interrupted')) AS partial_interactions,
    avg(response_time_ms) AS avg_response_time_ms,
    min(response_time_ms) AS min_response_time_ms,
    max(response_time_ms) AS max_response_time_ms,
    avg(time_to_first_token_ms) AS avg_time_to_first_token_ms,
    coalesce(sum(input_tokens), 0) AS input_tokens_sum,
    coalesce(sum(output_tokens), 0) AS output_tokens_sum,
    coalesce(sum(CAST(total_tokens AS double precision)), 0) AS total_tokens_sum`;

/** How many each average is of. */
const PARTS = 'count(response_time_ms) AS response_times, count(time_to_first_token_ms) AS first_token_times';

function percentilesOf({ percentiles }: Dialect): string {
  const named = { p50_response_time_ms: 0.5, p95_response_time_ms: 0.95, p99_response_time_ms: 0.99 };
  const found = percentiles('response_time_ms', Object.values(named));
  return Object.keys(named).map((name, index) => `${found[index]} AS ${name}`).join(', ');
}
