// How PostgreSQL says what the statements that read the log have to say.
import type { Dialect } from './query_statements.ts';

const utc = (column: string, format: string): string => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD${format}')`;
export const POSTGRES: Dialect = {
  parameter: (index) => `$${index}`,
  exactTime: (column) => utc(column, '"T"HH24:MI:SS.US"Z"'),
  isoTime: (column) => utc(column, '"T"HH24:MI:SS.MS"Z"'),
  // A column of its own stands in the index, and the database knows how few of its values there are, so that it shares the work out.
  day: () => 'day',
  date: (day) => `to_char(${day}, 'YYYY-MM-DD')`,
  // All at once: what is written the same is sorted once.
  percentiles: (column, fractions) => fractions.map((_, index) => `(percentile_cont(ARRAY[${fractions.join(', ')}]) WITHIN GROUP (ORDER BY ${column}))[${index + 1}]`),
  unindexed: (column) => column,
  isOneOf: (column, parameter) => `${column} = ANY(${parameter})`,
};
