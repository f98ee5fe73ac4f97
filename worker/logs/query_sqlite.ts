// Questions to logs.db, which another thread writes, and which may not be there yet.
import { existsSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { QueryError, type Asker, type Figures, type QueryDatabase } from './query_database.ts';
import { inOrder, keysOf, shortestWay, statisticsOf, totalOf, usersOf } from './query_results.ts';
import { statementsOf, type Statement } from './query_statements.ts';
import { COLUMNS } from './row_text.ts';
import { createTurns } from './turns.ts';
import { whyUnreachable } from './unreachable.ts';

/** For the moments in which the writer has the file to itself. */
const BUSY_TIMEOUT_MS = 1000;
/** BUSY, LOCKED, PERM, READONLY, IOERR, CORRUPT, CANTOPEN, NOTADB (https://www.sqlite.org/rescode.html): nothing of the question. */
const UNREADABLE: readonly number[] = [5, 6, 3, 8, 10, 11, 14, 26];

const statements = statementsOf({
  parameter: (index) => `?${index}`,
  exactTime: (column) => column,
  isoTime: (column) => column,
  day: (column) => `substr(${column}, 1, 10)`,
  date: (day) => day,
  percentiles: (column, fractions) => fractions.map((fraction) => `percentile_cont(${column}, ${fraction})`),
  unindexed: (column) => `+${column}`,
  isOneOf: (column, parameter) => `${column} IN (SELECT value FROM json_each(${parameter}))`,
});

/** A statement blocks the thread: one at a time. */
export function sqliteQueries(file: string): QueryDatabase {
  const turn = createTurns(1);
  let open: DatabaseSync | null = null;

  /** Statements of one turn see one state of the file. */
  const read = <T>(asker: Asker, work: (all: (statement: Statement) => Figures[]) => T): Promise<T> =>
    turn(asker.signal, () => {
      try {
        open ??= openLog(file);
        const db = open ?? emptyLog();
        asker.begin();
        db.exec('BEGIN');
        const answer = work((statement) => allOf(db, statement));
        db.exec('COMMIT');
        return answer;
      } catch (error) {
        open?.close();
        open = null;
        throw queryError(error);
      } finally {
        asker.end();
      }
    });

  return {
    page: (walk, asker) =>
      read(asker, (all) => {
        const total = totalOf(all(statements.count(walk.filter)));
        const way = shortestWay(walk, total);
        return { total, keys: way === null ? [] : way.asAsked(keysOf(all(statements.page(way.walk)))) };
      }),
    keys: (walk, asker) => read(asker, (all) => keysOf(all(statements.keys(walk)))),
    rows: (keys, asker) => read(asker, (all) => inOrder(keys, all(statements.rows(keys)))),
    one: (filter, interactionId, asker) => read(asker, (all) => all(statements.one(filter, interactionId))[0] ?? null),
    stats: (filter, asker) =>
      read(asker, (all) => statisticsOf(all(statements.days(filter)), all(statements.percentiles(filter)), all(statements.unique(filter)))),
    userStats: (filter, asker) => read(asker, (all) => usersOf(all(statements.users(filter)))),
  };
}

/** @returns null where nothing has been written yet */
function openLog(file: string): DatabaseSync | null {
  if (!existsSync(file)) return null;
  const db = new DatabaseSync(file, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
  if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'chat_logs'").get() !== undefined) return db;
  db.close();
  return null;
}

/** Answers for a log in which nothing has been written yet. */
function emptyLog(): DatabaseSync {
  const db = new DatabaseSync(':memory:');
  db.exec(`CREATE TABLE chat_logs (owner TEXT, input_tokens REAL, output_tokens REAL, ${COLUMNS.map(({ name }) => `"${name}"`).join(', ')})`);
  return db;
}

function allOf(db: DatabaseSync, { text, values }: Statement): Figures[] {
  const bound = values.map((value) => (Array.isArray(value) ? JSON.stringify(value) : value));
  return db.prepare(text).all(...(bound as SQLInputValue[])) as Figures[];
}

function queryError(error: unknown): QueryError {
  const { errcode = 0 } = error as { errcode?: number };
  // Extended codes have the primary one in their lowest byte.
  return new QueryError(UNREADABLE.includes(errcode & 0xff) ? 'unavailable' : 'failed', whyUnreachable(error));
}
