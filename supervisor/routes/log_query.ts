// What the routes of the log are asked: their query parameters, and the filter that these come to.
import { z } from 'zod';
import { unknownText } from '../../shared/agent/nearest.ts';
import { AppError } from '../../shared/errors.ts';
import type { LogFilter } from '../../shared/log_protocol.ts';
import { LOG_STATUSES } from '../../shared/log_record.ts';
import { plainText } from '../../shared/plain_text.ts';
import type { Caller } from '../access/caller.ts';

const MAX_LENGTH = 256;
const MAX_LIMIT = 1000;
const DEFAULT_LIMIT = 100;
const MAX_OFFSET = 10_000_000;
const DAY_MS = 86_400_000;
const LAST_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
const ONCE = 'expected once';
const DATE_TEXT = 'expected a date or a date-time of ISO 8601, such as 2026-11-23 or 2026-11-23T08:30:00Z';

const dateSchema = z.iso.date();
const timeSchema = z.iso.datetime({ offset: true, local: true });
const moment = z
  .string()
  // A + that nobody has percent-encoded is a space by now.
  .transform((text) => text.replace(/ (\d\d:\d\d)$/, '+$1'))
  .refine((text) => dateSchema.safeParse(text).success || timeSchema.safeParse(text).success, DATE_TEXT);

const whole = (min: number, max: number, fallback: number) => {
  const expected = `expected a whole number from ${min} to ${max}`;
  return z
    .string()
    .refine((text) => /^\d{1,15}$/.test(text) && Number(text) >= min && Number(text) <= max, expected)
    .meta({ type: 'integer', minimum: min, maximum: max })
    .transform(Number)
    .default(fallback)
    .describe(`${fallback} where it is left out.`);
};

const user_id = plainText(MAX_LENGTH).optional();
const dates = {
  start_date: moment.transform((text) => isoTime(msOf(text))).optional().describe('Not before. ISO 8601, UTC where it has no offset.'),
  end_date: moment
    .transform((text) => isoTime(msOf(text) + (isDate(text) ? DAY_MS : 0)))
    .optional()
    .describe('Before. A date without a time is included.'),
};

export const pageQuerySchema = z.object({
  session_id: plainText(MAX_LENGTH).optional(),
  user_id,
  endpoint: plainText(MAX_LENGTH).optional().describe('Path of the route, such as `/chat/stream`.'),
  status: z.enum(LOG_STATUSES, { error: `expected one of ${LOG_STATUSES.join(', ')}` }).optional(),
  ...dates,
  limit: whole(1, MAX_LIMIT, DEFAULT_LIMIT),
  offset: whole(0, MAX_OFFSET, 0),
  format: z.enum(['csv', 'jsonl'], { error: 'expected csv or jsonl' }).optional().describe('All that match, whatever limit and offset say.'),
});

export const statsQuerySchema = z.object({ user_id, ...dates });

/** Of a route that takes none. */
export const noQuerySchema = z.object({});

type FilterFields = Partial<Readonly<Record<'session_id' | 'user_id' | 'endpoint' | 'status' | 'start_date' | 'end_date', string | undefined>>>;

/** A name that the schema does not know is refused: a filter that is misspelt and ignored would show what was to be left out. @throws AppError VALIDATION_FAILED with every parameter that is wrong */
export function parseQuery<S extends z.ZodObject>(schema: S, query: URLSearchParams): z.output<S> {
  const known = Object.keys(schema.shape);
  const unknown = [...new Set(query.keys())].filter((name) => !known.includes(name)).map((name) => ({ path: name, message: unknownText('parameter', name, known) }));
  const names = known.filter((name) => query.has(name));
  const repeated = names.filter((name) => query.getAll(name).length > 1).map((name) => ({ path: name, message: ONCE }));
  const parsed = schema.safeParse(Object.fromEntries(names.map((name) => [name, query.get(name)])));
  const faults = (parsed.error?.issues ?? []).map(({ path, message }) => ({ path: path.join('.'), message }));
  const errors = [...unknown, ...repeated, ...faults.filter(({ path }) => repeated.every((each) => each.path !== path))];
  if (parsed.success && errors.length === 0) return parsed.data;
  throw new AppError('VALIDATION_FAILED', { message: `${errors[0]?.path}: ${errors[0]?.message}`, errors });
}

/** Without the scope logs:all a caller sees what it has begun itself. */
export function filterOf(agentName: string, caller: Caller, fields: FilterFields = {}): LogFilter {
  return {
    agentName,
    owner: caller.scopes.has('logs:all') ? null : caller.id,
    sessionId: fields.session_id ?? null,
    userId: fields.user_id ?? null,
    endpoint: fields.endpoint ?? null,
    status: (fields.status ?? null) as LogFilter['status'],
    startDate: fields.start_date ?? null,
    endDate: fields.end_date ?? null,
  };
}

function isDate(text: string): boolean {
  return text.length === 'YYYY-MM-DD'.length;
}

/** ms since 1970. A time without an offset would be the server's own. */
function msOf(text: string): number {
  return Date.parse(isDate(text) || /Z$|[+-]\d\d:\d\d$/.test(text) ? text : `${text}Z`);
}

/** Within what both databases and ISO 8601's four digits of a year can say; there are no rows beyond. */
function isoTime(ms: number): string {
  return new Date(Math.min(Math.max(ms, 0), LAST_MS)).toISOString();
}
