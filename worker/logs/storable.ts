// A record in which every text is one that both databases take.
import type { LogRecord } from '../../shared/log_record.ts';

/**
 * PostgreSQL takes U+0000 neither as text nor as jsonb, and no half of a surrogate pair: each is replaced by U+FFFD, in SQLite as well, so that a log
 * is the same wherever it is kept.
 */
export function storable(record: LogRecord): LogRecord {
  return clean(record) as LogRecord;
}

/** @returns the value itself where nothing in it is to be replaced */
function clean(value: unknown): unknown {
  if (typeof value === 'string') return cleanText(value);
  if (typeof value !== 'object' || value === null) return value;
  const before = Object.entries(value);
  const after = before.map(([name, member]) => [cleanText(name), clean(member)] as const);
  if (after.every(([name, member], index) => name === before[index]?.[0] && member === before[index]?.[1])) return value;
  return Array.isArray(value) ? after.map(([, member]) => member) : Object.fromEntries(after);
}

function cleanText(text: string): string {
  const whole = text.isWellFormed() ? text : text.toWellFormed();
  return whole.includes('\0') ? whole.replaceAll('\0', '\uFFFD') : whole;
}
