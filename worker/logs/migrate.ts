// Brings the tables of PostgreSQL to the version of this code, once, however many servers start at the same time.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UnusableDatabase } from './log_store.ts';
import type { PostgresLink, Transaction } from './postgres_link.ts';

interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
}

const DIRECTORY = join(import.meta.dirname, 'migrations');
const FILE_NAME = /^(\d{3})_(\w+)\.sql$/;
const TABLE = 'CREATE TABLE chat_logs_migrations (version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())';
/** Of pg_advisory_xact_lock, whose numbers are the whole database's: the first letters of "oai-logs". */
const LOCK = 0x6f_61_69_2d;

/** For the lock of a table that others use: whoever comes later waits behind whoever waits for it. */
const LOCK_TIMEOUT_MS = 3000;

/**
 * Applies what is missing, all of it or nothing, however long a statement takes.
 * @throws UnusableDatabase where the database is of a newer version, which is not touched then; pg's errors, of which 55P03 means that others use a table
 *   for too long, and that it is to be tried again
 */
export async function migrate(link: PostgresLink, directory = DIRECTORY): Promise<void> {
  const migrations = readMigrations(directory);
  const newest = migrations.at(-1)?.version ?? 0;
  // Mostly there is nothing to do, for which nobody needs to be alone.
  if ((await versionOf(link, newest)) === newest) return;
  await link.longTransaction(async (tx) => {
    await lock(tx);
    await tx.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
    const version = await versionOf(tx, newest);
    if (version === null) await tx.query(TABLE);
    for (const { version: next, name, sql } of migrations.filter((migration) => migration.version > (version ?? 0))) {
      await tx.query(sql);
      await tx.query('INSERT INTO chat_logs_migrations (version, name) VALUES ($1, $2)', [next, name]);
    }
  });
}

/**
 * Does the work while no other server does such work on this database: whoever comes second finds it done.
 * @param work may also ask over other connections than the transaction's
 */
export function alone<T>(link: PostgresLink, work: (tx: Transaction) => Promise<T>): Promise<T> {
  return link.transaction(async (tx) => {
    await lock(tx);
    return work(tx);
  });
}

/** Held to the end of the transaction. */
async function lock(tx: Transaction): Promise<void> {
  await tx.query(`SELECT pg_advisory_xact_lock(${LOCK})`);
}

/** @returns null where nothing has been applied yet @throws UnusableDatabase where it is newer than this code */
async function versionOf(asked: Pick<Transaction, 'query'>, newest: number): Promise<number | null> {
  const found = await asked.query("SELECT to_regclass('chat_logs_migrations') IS NOT NULL AS found");
  if (found.rows[0].found !== true) return null;
  const { rows } = await asked.query('SELECT coalesce(max(version), 0) AS version FROM chat_logs_migrations');
  const version = Number(rows[0].version);
  if (version > newest) throw newerDatabase(version, newest);
  return version;
}

export function newerDatabase(version: number, known: number): UnusableDatabase {
  return new UnusableDatabase(`its tables are of version ${version}, and this server knows them up to ${known}: they are a newer server's`);
}

/** In their order. */
function readMigrations(directory: string): readonly Migration[] {
  return readdirSync(directory).toSorted().flatMap((file) => {
    const [, version, name = ''] = FILE_NAME.exec(file) ?? [];
    return version === undefined ? [] : [{ version: Number(version), name, sql: readFileSync(join(directory, file), 'utf8') }];
  });
}
