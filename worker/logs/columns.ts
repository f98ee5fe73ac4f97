// The columns of table `chat_logs` as they are written: the members of a record, and what either database makes of them.
import type { LogRecord } from '../../shared/log_record.ts';

/** `json` is jsonb in PostgreSQL and its text in SQLite, `time` timestamptz and ISO 8601 in UTC. */
export type ColumnKind = 'text' | 'time' | 'json' | 'integer' | 'real';

export const KINDS: Readonly<Record<keyof LogRecord, ColumnKind>> = {
  interaction_id: 'text',
  timestamp: 'time',
  agent_name: 'text',
  session_id: 'text',
  user_id: 'text',
  owner: 'text',
  endpoint: 'text',
  input_message: 'text',
  output_response: 'text',
  request_headers: 'json',
  model_info: 'json',
  token_usage: 'json',
  total_tokens: 'integer',
  response_time_ms: 'real',
  time_to_first_token_ms: 'real',
  queue_ms: 'real',
  status: 'text',
  error_code: 'text',
  error_message: 'text',
  files: 'json',
};

const NAMES = Object.keys(KINDS) as (keyof LogRecord)[];
const POSTGRES_TYPES: Readonly<Record<ColumnKind, string>> = {
  text: 'text',
  time: 'timestamptz',
  json: 'jsonb',
  integer: 'bigint',
  real: 'double precision',
};

const quoted = (name: string): string => `"${name}"`;
const list = NAMES.map(quoted).join(', ');
const replaced = [...NAMES.filter((name) => name !== 'interaction_id'), 'created_at'].map((name) => `"${name}" = excluded."${name}"`).join(', ');

/**
 * Ends both databases' insert. An end replaces `interrupted`, and nothing else replaces anything, however often it comes; nor does anything of one
 * owner or agent replace what is another's.
 */
const ON_CONFLICT = `
  ON CONFLICT (interaction_id) DO UPDATE SET ${replaced}
  WHERE chat_logs.status = 'interrupted' AND excluded.status <> 'interrupted'
    AND chat_logs.owner = excluded.owner AND chat_logs.agent_name = excluded.agent_name`;

/** Inserts the records of $1, a JSON array in which no interaction comes twice; in one order, so that no two servers wait for each other's rows. */
export const POSTGRES_INSERT = `
  INSERT INTO chat_logs (${list}, created_at)
  SELECT ${list}, now() FROM json_to_recordset($1::json) AS r (${NAMES.map((name) => `${quoted(name)} ${POSTGRES_TYPES[KINDS[name]]}`).join(', ')})
  ORDER BY interaction_id
  ${ON_CONFLICT}`;

/** Of the records of $1 the ids of those whose row is another interaction's: one that is shipped once more has its own time, which is its row's. */
export const POSTGRES_REUSED = `
  SELECT r.interaction_id FROM json_to_recordset($1::json) AS r (interaction_id text, "timestamp" timestamptz)
  JOIN chat_logs AS l ON l.interaction_id = r.interaction_id WHERE l."timestamp" <> r."timestamp"`;

/** Finds a row of this interaction id that is of another time. */
export const SQLITE_REUSED = 'SELECT 1 FROM chat_logs WHERE interaction_id = ? AND "timestamp" <> ?';

/** Inserts one record, given as `sqliteValues`. */
export const SQLITE_INSERT = `
  INSERT INTO chat_logs (${list}, created_at)
  VALUES (${NAMES.map(() => '?').join(', ')}, strftime('%Y-%m-%dT%H:%M:%fZ'))
  ${ON_CONFLICT}`;

export function sqliteValues(record: LogRecord): (string | number | null)[] {
  return NAMES.map((name) => {
    const value = record[name];
    if (value === null) return null;
    return KINDS[name] === 'json' ? JSON.stringify(value) : (value as string | number);
  });
}

/**
 * @returns the records without those that another one of the same interaction stands in for, the first end, or else the first; and the ids of those that
 * it stands in for though they are of another time, as an id was used again
 */
export function oncePerInteraction(records: readonly LogRecord[]): { readonly once: readonly LogRecord[]; readonly reused: readonly string[] } {
  const byId = new Map<string, LogRecord>();
  const reused: string[] = [];
  for (const record of records) {
    const before = byId.get(record.interaction_id);
    if (before === undefined || replaces(record, before)) byId.set(record.interaction_id, record);
    else if (before.timestamp !== record.timestamp) reused.push(record.interaction_id);
  }
  return { once: byId.size === records.length ? records : [...byId.values()], reused };
}

/** As ON_CONFLICT has it. */
function replaces(record: LogRecord, before: LogRecord): boolean {
  const isSameOne = record.owner === before.owner && record.agent_name === before.agent_name;
  return isSameOne && before.status === 'interrupted' && record.status !== 'interrupted';
}
