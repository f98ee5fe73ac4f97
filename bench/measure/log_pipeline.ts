// How many records of the log get from the spool into the table each second: our spool and shipping thread, with nothing else to do.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import type { LogRecord } from '../../shared/log_record.ts';
import { openSpool } from '../../supervisor/logs/spool.ts';
import { Shipper } from '../../supervisor/logs/shipper.ts';
import type { PostgresServer } from '../../test/helpers/postgres_server.ts';
import { AGENT } from '../agent_file.ts';
import { logRecords } from '../log_records.ts';

const SPOOL_BYTES = 1024 * 1024 * 1024;
/** Interactions that are open at once. */
const LIVING = 256;
const LOOK_EVERY_MS = 20;

/**
 * Puts records into a spool as a server does, an opened one and an end for each, and waits until all are rows.
 * @param postgres null: an embedded database
 * @returns rows/s, from the first append to the last row
 */
export async function recordsPerSecond(count: number, postgres: PostgresServer | null, stack: AsyncDisposableStack): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'oai-agent-server-bench-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const log = pino({ level: 'error' }, pino.destination(2));
  const file = join(directory, 'logs.db');
  const spoolDir = join(directory, 'spool');
  const spool = await openSpool({ directory: spoolDir, maxBytes: SPOOL_BYTES, log });
  const backend = postgres === null ? ({ type: 'sqlite', file } as const) : ({ type: 'postgres', url: postgres.url } as const);
  const shipper = new Shipper({ backend, agentName: AGENT, spoolDir, retentionDays: 0 }, spool, log);
  stack.defer(async () => {
    await shipper.close();
    await spool.close();
  });
  const records = [...logRecords({ records: count, sessions: Math.ceil(count / 20), users: 200, untilMs: Date.now() })];
  while (!shipper.isConnected) await delay(LOOK_EVERY_MS);

  const append = async (record: LogRecord): Promise<void> => {
    await spool.append({ type: 'open', record: { ...record, output_response: null, status: 'interrupted' } });
    if ((await spool.append({ type: 'end', record })) === 'lost') throw new Error('the spool has lost a record');
  };
  const startedMs = performance.now();
  const left = records.values();
  await Promise.all(Array.from({ length: LIVING }, async () => {
    for (const record of left) await append(record);
  }));
  while (spool.spooled > 0) await delay(LOOK_EVERY_MS);
  const rows = postgres === null ? () => countInFile(file) : () => countIn(postgres);
  while ((await rows()) < count) await delay(LOOK_EVERY_MS);
  return (count * 1000) / (performance.now() - startedMs);
}

async function countIn(postgres: PostgresServer): Promise<number> {
  const [row] = await postgres.query('SELECT count(*)::int AS count FROM chat_logs');
  return row.count as number;
}

async function countInFile(file: string): Promise<number> {
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    return Number(db.prepare('SELECT count(*) AS count FROM chat_logs').get()?.['count']);
  } finally {
    db.close();
  }
}
