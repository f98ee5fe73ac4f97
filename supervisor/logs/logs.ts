// The log of interactions as the server uses it: records into the spool, from there to the database, and questions to that.
import type { LoggingConfig } from '../../shared/config.ts';
import type { LogBackend } from '../../shared/log_protocol.ts';
import type { LogRecord } from '../../shared/log_record.ts';
import type { Records } from '../interactions/options.ts';
import type { Logger } from '../log.ts';
import { Queries } from './queries.ts';
import { endRecord, openRecord } from './record.ts';
import { Shipper } from './shipper.ts';
import { openSpool } from './spool.ts';

export interface LogsOptions {
  readonly logging: LoggingConfig;
  readonly agentName: string;
  /** Path of a file in the data directory. */
  file(name: string): string;
  readonly log: Logger;
}

/** How the log stands, as /status tells it. */
export interface LogState {
  readonly backend: 'embedded' | 'postgresql';
  /** Whether the database answers. */
  readonly connected: boolean;
  /** Records that are on their way to it. */
  readonly spooled: number;
  readonly spool_bytes: number;
  /** Records that nothing is left of, since the start: for want of room, or as an interaction before has their id. */
  readonly lost: number;
  /** Records that the database does not take. */
  readonly dead_letters: number;
}

export interface Logs extends Records {
  readonly queries: Queries;
  state(): LogState;
  /** Whether records are being lost, or are about to be. */
  readonly isDegraded: boolean;
  close(): Promise<void>;
}

/** @throws StartError where the spool cannot be used; a database that is away is waited for */
export async function openLogs({ logging, agentName, file, log }: LogsOptions): Promise<Logs> {
  const backend: LogBackend =
    logging.postgres === null ? { type: 'sqlite', file: file('logs.db') } : { type: 'postgres', url: logging.postgres.url.reveal() ?? '' };
  const spoolDir = file('spool');
  const spool = await openSpool({ directory: spoolDir, maxBytes: logging.spoolMaxBytes, log });
  const shipper = new Shipper({ backend, agentName, spoolDir, retentionDays: logging.retentionDays }, spool, log);
  const queries = new Queries({ backend }, log);
  const settings = { agentName, keepsContent: logging.keepsContent };
  /** Of interactions that live. */
  const open = new Map<string, LogRecord>();

  return {
    queries,
    async opened(interaction) {
      const { facts, id } = interaction.request;
      if (facts === null) return;
      const record = openRecord(interaction, facts, settings);
      open.set(id, record);
      await spool.append({ type: 'open', record });
    },
    async ended(interaction, outcome) {
      const { facts, id } = interaction.request;
      const opened = open.get(id);
      if (facts === null || opened === undefined) return;
      open.delete(id);
      await spool.append({ type: 'end', record: endRecord(opened, interaction, outcome, facts.redact, settings) });
    },
    closeNow: () => spool.closeNow(),
    state: () => ({
      backend: backend.type === 'sqlite' ? 'embedded' : 'postgresql',
      connected: shipper.isConnected,
      spooled: spool.spooled,
      spool_bytes: spool.bytes,
      lost: spool.lost + shipper.lost,
      dead_letters: shipper.deadLetters,
    }),
    get isDegraded() {
      return spool.isDegraded || shipper.deadLetters > 0;
    },
    async close() {
      await shipper.close();
      await queries.close();
      await spool.close();
    },
  };
}
