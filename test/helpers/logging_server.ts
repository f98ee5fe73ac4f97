// A server that logs into the database of a test's choice, killed and started again on the same data directory; and what is in that database.
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Test } from 'tap';
import type { LogStatus } from '../../shared/log_record.ts';
import { makeFolder } from './folder.ts';
import { send, type Json } from './http_client.ts';
import { postgresOrSkip, type PostgresServer } from './postgres_server.ts';
import { LAUNCHER, spawnProcess, type Exit, type Output } from './process.ts';
import { waitFor } from './wait_for.ts';

/** What identifies a row, and how the interaction ended. */
export interface LoggedEnd {
  readonly interaction_id: string;
  readonly status: LogStatus;
  readonly error_code: string | null;
  readonly agent_name: string;
}

export interface LogDatabase {
  readonly name: 'embedded' | 'postgresql';
  /** For the server's environment. */
  readonly env: Readonly<Record<string, string>>;
  /** null: the embedded one. */
  readonly postgres: PostgresServer | null;
  /** Every row there is; none while there is no table. */
  rows(dataDir: string): Promise<readonly LoggedEnd[]>;
  /** Runs a statement that changes rows. */
  change(dataDir: string, sql: string): Promise<void>;
}

const COLUMNS = 'SELECT interaction_id, status, error_code, agent_name FROM chat_logs';

const EMBEDDED: LogDatabase = {
  name: 'embedded',
  env: { DB_LOGGING_ENABLED: 'true' },
  postgres: null,
  async rows(dataDir) {
    return withFile(dataDir, (db) => db.prepare(COLUMNS).all() as unknown as LoggedEnd[]);
  },
  async change(dataDir, sql) {
    withFile(dataDir, (db) => db.exec(sql));
  },
};

/** The embedded one, and PostgreSQL where the machine has it. */
export async function eachDatabase(t: Test, test: (t: Test, database: LogDatabase) => Promise<void>): Promise<void> {
  await t.test('embedded', (t) => test(t, EMBEDDED));
  await t.test('postgresql', async (t) => {
    const postgres = await postgresOrSkip(t);
    if (postgres !== null) await test(t, databaseOf(postgres));
  });
}

export function databaseOf(postgres: PostgresServer): LogDatabase {
  return {
    name: 'postgresql',
    env: { DB_LOGGING_ENABLED: 'true', LOGGING_DB_URL: postgres.url },
    postgres,
    rows: async () => {
      // What a server that was killed had put into the queue is moved by the next one: until then it has not arrived.
      const [found] = await postgres.query("SELECT to_regclass('chat_logs') IS NOT NULL AS found");
      return found.found === true ? postgres.query(COLUMNS) : [];
    },
    change: async (_dataDir, sql) => void (await postgres.query(sql)),
  };
}

function withFile<T>(dataDir: string, work: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(join(dataDir, 'logs.db'), { timeout: 5000 });
  try {
    return work(db);
  } finally {
    db.close();
  }
}

export interface LoggingServer {
  readonly url: string;
  readonly dataDir: string;
  readonly process: ChildProcess;
  readonly output: Output;
  readonly exited: Promise<Exit>;
  /** Resolves when it has ended. */
  end(signal: NodeJS.Signals): Promise<Exit>;
}

interface LoggingOptions {
  /** Of an earlier server. */
  readonly dataDir?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export async function serveLogging(t: Test, agent: string, database: Pick<LogDatabase, 'env'>, options: LoggingOptions = {}): Promise<LoggingServer> {
  const { args = ['--workers', '1'], env = {}, dataDir = await makeFolder(t) } = options;
  const words = ['serve', agent, '--config-root', 'test/fixtures', '--host', '127.0.0.1', '--port', '0', '--data-dir', dataDir, ...args];
  const { process: child, output, exited } = spawnProcess(process.execPath, [LAUNCHER, ...words], { env: { ...database.env, ...env } });
  t.teardown(() => {
    child.kill('SIGKILL');
    return exited;
  });
  const url = await waitFor('the ready line', () => {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the server has ended: ${output.stderr}`);
    return / ready on (http:\S+)/.exec(output.stdout)?.[1];
  }, 30_000);
  const end = (signal: NodeJS.Signals): Promise<Exit> => {
    child.kill(signal);
    return exited;
  };
  return { url, dataDir, process: child, output, exited, end };
}

export interface LogsStatus {
  readonly enabled: boolean;
  readonly backend: string | null;
  readonly connected: boolean;
  readonly spooled: number;
  readonly spool_bytes: number;
  readonly lost: number;
  readonly dead_letters: number;
}

/** What /status tells of the log. */
export async function logsOf({ url }: Pick<LoggingServer, 'url'>): Promise<LogsStatus> {
  return (await send(url, '/status')).json['logs'] as LogsStatus;
}

/** Waits until the database answers. */
export async function connected(server: Pick<LoggingServer, 'url'>): Promise<void> {
  await waitFor('the database of the log', async () => (await logsOf(server)).connected, 30_000);
}

/** Waits until nothing is on its way to PostgreSQL any more, of this server or of another. @returns every row */
export async function settledRows(server: Pick<LoggingServer, 'url'>, postgres: PostgresServer, timeoutMs = 60_000): Promise<readonly LoggedEnd[]> {
  await waitFor('the last record', async () => {
    const { connected: isThere, spooled } = await logsOf(server);
    if (!isThere || spooled > 0) return false;
    const [{ count }] = await postgres.query("SELECT count(*)::int AS count FROM chat_logs_queue.job WHERE name = 'chat_logs'");
    return count === 0;
  }, timeoutMs);
  return databaseOf(postgres).rows('');
}

/** Whether the server is ready, as load balancers are told it, and its word on the database of the log. */
export async function readinessOf({ url }: Pick<LoggingServer, 'url'>): Promise<string> {
  const { status, json } = await send(url, '/ready');
  return `${status} ${String(json['status'])}, database ${(json['checks'] as Readonly<Record<string, string>>)['log_database']}`;
}

/** Waits for the row of an interaction, as the server answers it. */
export async function rowOf({ url }: Pick<LoggingServer, 'url'>, id: string, headers: Readonly<Record<string, string>> = {}): Promise<Json> {
  return waitFor(`the row ${id}`, async () => {
    const { status, json } = await send(url, `/logs/interactions/${id}`, { headers });
    return status === 200 && json;
  });
}
