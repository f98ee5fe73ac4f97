// Fills the log's table with records by the statements that the server writes them with.
import type { LogRecord } from '../shared/log_record.ts';
import type { PostgresServer } from '../test/helpers/postgres_server.ts';
import { POSTGRES_INSERT } from '../worker/logs/columns.ts';
import { migrate } from '../worker/logs/migrate.ts';
import { openPostgres } from '../worker/logs/postgres_link.ts';
import { openSqliteStore } from '../worker/logs/sqlite_store.ts';
import { AGENT } from './agent_file.ts';

/** Rows that are written at once. */
const BATCH = 2000;
/** Of all rows, those that came after the last vacuum: the table's settings let it be up to 2 %. */
const SINCE_VACUUM = 0.01;

/** @param file of an embedded database, made where it is missing */
export async function fillFile(file: string, records: Iterable<LogRecord>): Promise<void> {
  const store = openSqliteStore(file, { agentName: AGENT, retentionDays: 0, onDeadLetters: () => undefined, onReused: () => undefined });
  for (const batch of batches(records)) await store.add(batch);
  await store.maintain();
  await store.close();
}

/** Makes the table. @param rows how many records there are: all but the last ones are vacuumed, as autovacuum leaves them */
export async function fillPostgres(postgres: PostgresServer, records: Iterable<LogRecord>, rows: number): Promise<void> {
  const link = openPostgres(postgres.url);
  await migrate(link);
  let written = 0;
  let isVacuumed = false;
  for (const batch of batches(records)) {
    await link.query(POSTGRES_INSERT, [JSON.stringify(batch)]);
    written += batch.length;
    if (isVacuumed || written < rows * (1 - SINCE_VACUUM)) continue;
    await postgres.query('VACUUM (ANALYZE) chat_logs');
    isVacuumed = true;
  }
  await link.close();
  // So that its writing is not measured.
  await postgres.query('CHECKPOINT');
}

function* batches(records: Iterable<LogRecord>): Generator<LogRecord[]> {
  let batch: LogRecord[] = [];
  for (const record of records) {
    batch.push(record);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
