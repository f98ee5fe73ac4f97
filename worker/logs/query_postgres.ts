// Questions to PostgreSQL: in transactions that read only, on two connections of their own.
import pg from 'pg';
import { POSTGRES } from './postgres_dialect.ts';
import { driverUrl } from './postgres_link.ts';
import { QueryError, type Asker, type Figures, type QueryDatabase } from './query_database.ts';
import { inOrder, keysOf, shortestWay, statisticsOf, totalOf, usersOf } from './query_results.ts';
import { statementsOf, type Statement } from './query_statements.ts';
import { createTurns } from './turns.ts';
import { whyUnreachable } from './unreachable.ts';

const CONNECTIONS = 2;
const CONNECT_TIMEOUT_MS = 3000;
/** Beyond the statement's own timeout: then the server is frozen, or the network. */
const ANSWER_MARGIN_MS = 1000;
/** A transaction of a reader that is frozen, or gone without a word, would keep all rows that are deleted from being cleared away. */
const IDLE_TIMEOUT_MS = 15_000;
/** A million figures are sorted in it without a file: a third faster. */
const SORT_MEMORY_MB = 64;
/** SQLSTATE of what the server answers where it cannot be used now, or not as it is: connections, authorization, the database, resources, the table not made yet, no rights to it. */
const UNAVAILABLE = /^(08|28|3D|3F|53|57P|58|XX|42P01|42501|42703)/;
const QUERY_CANCELED = '57014';

const statements = statementsOf(POSTGRES);

/** int8, int4, float4, float8, numeric; everything else stays the text that it comes as. */
const NUMBERS: readonly number[] = [20, 23, 700, 701, 1700];
const types = { getTypeParser: (oid: number) => (text: string) => (NUMBERS.includes(oid) ? Number(text) : text) };

/** @param url with user and password, and what else node-postgres knows, such as `sslmode` */
export function postgresQueries(url: string, statementTimeoutMs: number): QueryDatabase {
  const turn = createTurns(CONNECTIONS);
  const pool = new pg.Pool({
    connectionString: driverUrl(url),
    max: CONNECTIONS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: statementTimeoutMs + ANSWER_MARGIN_MS,
    keepAlive: true,
    application_name: 'oai-agent-server: reader of the log',
    types: types as pg.CustomTypesConfig,
    onConnect: watchConnection as (client: pg.ClientBase) => void,
  });
  // A connection that is lost is told by its query; without a listener it would end the thread.
  pool.on('error', () => undefined);
  /** What is set ends with the transaction, so that no pooler between hands it on to others. */
  const begin = `BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL statement_timeout = ${Math.trunc(statementTimeoutMs)};
    SET LOCAL idle_in_transaction_session_timeout = ${IDLE_TIMEOUT_MS}; SET LOCAL work_mem = '${SORT_MEMORY_MB}MB'`;

  /** Statements of one turn see one moment, and have one time together. */
  const read = <T>(asker: Asker, work: (all: (statement: Statement) => Promise<Figures[]>) => Promise<T>): Promise<T> =>
    turn(asker.signal, async () => {
      let release: ((error?: Error | boolean) => void) | undefined;
      /** The statement ends with its connection. */
      const abandon = (): void => {
        release?.(true);
        release = undefined;
      };
      try {
        const client = await pool.connect();
        release = client.release.bind(client);
        asker.signal.throwIfAborted();
        asker.signal.addEventListener('abort', abandon, { once: true });
        asker.begin();
        const deadline = performance.now() + statementTimeoutMs;
        await client.query(begin);
        let isFirst = true;
        const answer = await work(async ({ text, values }) => {
          const leftMs = Math.ceil(deadline - performance.now());
          if (leftMs <= 0) throw new QueryError('slow', 'its statements took too long');
          if (!isFirst) await client.query(`SET LOCAL statement_timeout = ${leftMs}`);
          isFirst = false;
          const config = { text, values: [...values], query_timeout: leftMs + ANSWER_MARGIN_MS };
          return (await client.query<Figures>(config)).rows;
        });
        await client.query('COMMIT');
        release?.();
        return answer;
      } catch (error) {
        // Nothing is known of its transaction.
        release?.(true);
        throw queryError(error);
      } finally {
        asker.signal.removeEventListener('abort', abandon);
        asker.end();
      }
    });

  return {
    page: (walk, asker) =>
      read(asker, async (all) => {
        const total = totalOf(await all(statements.count(walk.filter)));
        const way = shortestWay(walk, total);
        return { total, keys: way === null ? [] : way.asAsked(keysOf(await all(statements.page(way.walk)))) };
      }),
    keys: (walk, asker) => read(asker, async (all) => keysOf(await all(statements.keys(walk)))),
    rows: (keys, asker) => read(asker, async (all) => inOrder(keys, await all(statements.rows(keys)))),
    one: (filter, interactionId, asker) => read(asker, async (all) => (await all(statements.one(filter, interactionId)))[0] ?? null),
    stats: (filter, asker) =>
      read(asker, async (all) => {
        const days = await all(statements.days(filter));
        return statisticsOf(days, await all(statements.percentiles(filter)), await all(statements.unique(filter)));
      }),
    userStats: (filter, asker) => read(asker, async (all) => usersOf(await all(statements.users(filter)))),
  };
}

/** From then on the server ends a statement within a second when its connection is gone, where it can (from version 14 on, on Linux). */
async function watchConnection(client: pg.ClientBase): Promise<void> {
  client.on('error', () => undefined);
  await client.query('SET client_connection_check_interval = 1000').catch((error: unknown) => {
    if (!(error instanceof pg.DatabaseError)) throw error;
  });
}

/** Of errors of pg no message: it may quote a value. */
function queryError(error: unknown): QueryError {
  if (error instanceof QueryError) return error;
  if (error instanceof TypeError) return new QueryError('failed', error.message);
  const { code = '' } = error as { code?: string };
  if (code === QUERY_CANCELED) return new QueryError('slow', whyUnreachable(error));
  // What is no answer of the server is of the connection: ECONNREFUSED and the like, and timeouts, which have no code.
  const isOfQuestion = error instanceof pg.DatabaseError && !UNAVAILABLE.test(code);
  return new QueryError(isOfQuestion ? 'failed' : 'unavailable', whyUnreachable(error));
}
