// Connections to PostgreSQL for whoever writes: nothing is waited for without an end, and all of them are let go of at once.
import { Socket } from 'node:net';
import pg from 'pg';

const CONNECTIONS = 4;
const CONNECT_TIMEOUT_MS = 3000;
/** Beyond the statement's own timeout: then the server is frozen, or the network. */
const ANSWER_MARGIN_MS = 2000;
/** Of a whole TCP connection in silence, whose other end may have gone without a word. */
const KEEP_ALIVE_MS = 10_000;

/** What a test may want shorter. */
export interface LinkTimeouts {
  readonly statementMs: number;
  /** A transaction that is asked nothing for so long is ended, and with it its locks: whoever began it is frozen, or gone without a word. */
  readonly idleMs: number;
}

const TIMEOUTS: LinkTimeouts = { statementMs: 8000, idleMs: 15_000 };

/**
 * What is set ends with the transaction, so that no pooler between hands it on to others. A commit is answered when it is on the server's disk,
 * whatever the role's own settings say: the spool is trimmed then. What a constraint or its trigger puts off to the commit would be no statement's
 * error there, and so no record's.
 */
const beginOf = ({ statementMs, idleMs }: LinkTimeouts): string => `
  BEGIN; SET LOCAL statement_timeout = ${statementMs}; SET LOCAL idle_in_transaction_session_timeout = ${idleMs};
  SET LOCAL synchronous_commit = on; SET CONSTRAINTS ALL IMMEDIATE`;
/** Of a setting of PostgreSQL's. */
const NO_TIMEOUT = 0;

/** Statements of one transaction. */
export interface Transaction {
  query(text: string, values?: readonly unknown[]): Promise<pg.QueryResult>;
}

export interface PostgresLink {
  /** Runs the work in a transaction: committed when it resolves, else undone. */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  /** The same on a connection of its own, where a statement may take as long as it does. */
  longTransaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  /** A statement by itself, or several without values. */
  query(text: string, values?: readonly unknown[]): Promise<pg.QueryResult>;
  /** Cuts all connections: whatever is being asked fails. May be called again. */
  close(): Promise<void>;
}

/** Connects when it is first asked. @param url with user and password */
export function openPostgres(url: string, timeouts = TIMEOUTS): PostgresLink {
  const sockets = new Set<Socket>();
  let ended: Promise<void> | null = null;
  const settings = {
    connectionString: driverUrl(url),
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    application_name: 'oai-agent-server: writer of the log',
    stream: () => {
      const socket = new Socket();
      sockets.add(socket);
      return socket.once('close', () => sockets.delete(socket));
    },
  };
  const pool = new pg.Pool({
    ...settings,
    max: CONNECTIONS,
    query_timeout: timeouts.statementMs + ANSWER_MARGIN_MS,
    onConnect: (client: pg.ClientBase) => void client.on('error', () => undefined),
  });
  // A connection that is lost is told by its query; without a listener it would end the thread.
  pool.on('error', () => undefined);

  return {
    async transaction(work) {
      const client = await pool.connect();
      try {
        const result = await inTransaction(client, beginOf(timeouts), work);
        client.release();
        return result;
      } catch (error) {
        // Nothing is known of its transaction any more: it ends with its connection.
        client.release(true);
        throw error;
      }
    },
    async longTransaction(work) {
      const client = new pg.Client(settings);
      client.on('error', () => undefined);
      try {
        await client.connect();
        return await inTransaction(client, beginOf({ ...timeouts, statementMs: NO_TIMEOUT }), work);
      } finally {
        // Where its work failed it may not answer any more, and nothing is known of its transaction: `close` cuts what does not end by itself.
        void client.end().catch(() => undefined);
      }
    },
    query: (text, values = []) => pool.query(text, [...values]),
    close() {
      ended ??= pool.end();
      for (const socket of sockets) socket.destroy();
      return ended;
    },
  };
}

async function inTransaction<T>(client: pg.ClientBase, begin: string, work: (tx: Transaction) => Promise<T>): Promise<T> {
  await client.query(begin);
  const result = await work({ query: (text, values = []) => client.query(text, [...values]) });
  await client.query('COMMIT');
  return result;
}

/**
 * The URL as node-postgres is to have it. It takes `sslmode=require` (and `prefer`, `verify-ca`) for `verify-full`, with a warning on stderr that this
 * will change (https://github.com/brianc/node-postgres/tree/master/packages/pg-connection-string): said as `verify-full` it stays so, without one.
 */
export function driverUrl(url: string): string {
  const parsed = new URL(url);
  const { searchParams } = parsed;
  if (searchParams.get('uselibpqcompat') === 'true' || !['prefer', 'require', 'verify-ca'].includes(searchParams.get('sslmode') ?? '')) return url;
  searchParams.set('sslmode', 'verify-full');
  return parsed.href;
}
