// A row of the log as text: a line of JSON, or of CSV (RFC 4180).
import type { LogRow } from '../../shared/log_record.ts';
import { KINDS, type ColumnKind } from './columns.ts';

interface Column {
  readonly name: keyof LogRow;
  /** How its value comes from the database: json as its text, time as ISO 8601 with ms, UTC. */
  readonly kind: ColumnKind;
}

/** In the order of the answers. */
export const COLUMNS: readonly Column[] = [
  ...Object.entries(KINDS).flatMap(([name, kind]) => (name === 'owner' ? [] : { name: name as keyof LogRow, kind })),
  { name: 'created_at', kind: 'time' },
];

/** Values of COLUMNS by name. */
export type RowValues = Readonly<Record<string, string | number | null>>;

/** @returns a LogRow, without a line's end in it */
export function jsonOfRow(row: RowValues): string {
  const members = COLUMNS.map(({ name, kind }) => {
    const value = row[name] ?? null;
    return `"${name}":${kind === 'json' ? (value ?? 'null') : JSON.stringify(value)}`;
  });
  return `{${members.join(',')}}`;
}

export const CSV_HEADER = `${COLUMNS.map(({ name }) => name).join(',')}\r\n`;

/** What a spreadsheet takes for the beginning of a formula. */
const FORMULA = /^[=+\-@\t\r＝＋－＠]/;

/**
 * Null is an empty field, an empty text is `""`. Texts come from whoever may chat, and are opened in the spreadsheet of whoever looks after them: one that
 * begins like a formula gets an apostrophe before it (https://owasp.org/www-community/attacks/CSV_Injection). JSON has the texts as they are.
 */
export function csvOfRow(row: RowValues): string {
  const fields = COLUMNS.map(({ name, kind }) => {
    const value = row[name] ?? null;
    if (value === null) return '';
    if (typeof value === 'number') return String(value);
    const text = kind === 'text' && FORMULA.test(value) ? `'${value}` : value;
    return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  });
  return `${fields.join(',')}\r\n`;
}
