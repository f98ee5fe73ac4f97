// The thread that ships the log: reads what the supervisor has written to the spool, and writes it to the database.
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import type { ShipCommand, ShipReport, ShipSettings } from '../../shared/log_protocol.ts';
import type { LogStore, StoreSettings } from './log_store.ts';
import { startShipping } from './shipping.ts';
import { SpoolReader } from './spool_reader.ts';
import { openSqliteStore } from './sqlite_store.ts';

const { backend, agentName, retentionDays, spoolDir } = workerData as ShipSettings;
const port = parentPort as MessagePort;
const report = (message: ShipReport): void => port.postMessage(message);

let deadLetters = 0;
const settings: StoreSettings = {
  agentName,
  retentionDays,
  onDeadLetters(count) {
    if (count !== deadLetters) report({ type: 'dead_letters', count });
    deadLetters = count;
  },
  onReused: (interactionIds) => report({ type: 'reused', interactionIds }),
};

async function openStore(signal: AbortSignal): Promise<LogStore> {
  if (backend.type === 'sqlite') return openSqliteStore(backend.file, settings);
  // Only where it is needed: it takes some tenths of a second and some MB.
  const { openPostgresStore } = await import('./postgres_store.ts');
  return openPostgresStore(backend.url, settings, signal);
}

const shipping = startShipping({ reader: await SpoolReader.open(spoolDir), retentionDays, openStore, report });
port.on('message', (command: ShipCommand) => shipping.take(command));
await shipping.ended;
port.close();
