// The shipping thread as its tests drive it: a spool that they write, messages to the thread, and what it reports.
import { once } from 'node:events';
import { appendFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Test } from 'tap';
import type { LogBackend, ShipCommand, ShipReport, ShipSettings } from '../../../shared/log_protocol.ts';
import type { LogRecord, SpoolEntry } from '../../../shared/log_record.ts';
import { encodeEntry, segmentName, type SpoolPlace } from '../../../shared/spool_format.ts';
import { waitFor } from '../../helpers/wait_for.ts';

const THREAD = new URL('../../../worker/logs/ship.ts', import.meta.url);

/** @param number makes its id */
export function recordOf(number: number, members: Partial<LogRecord> = {}): LogRecord {
  return {
    interaction_id: idOf(number),
    timestamp: new Date(Date.now() - 1000).toISOString(),
    agent_name: 'tested',
    session_id: `session-${number % 7}`,
    user_id: `user-${number % 3}`,
    owner: 'token:1',
    endpoint: '/chat',
    input_message: `question ${number}`,
    output_response: `answer ${number}`,
    request_headers: { 'user-agent': 'tap' },
    model_info: { model_id: 'm', provider: 'p' },
    token_usage: { input_tokens: 1, output_tokens: 2, total_tokens: 3 },
    total_tokens: 3,
    response_time_ms: 12.5,
    time_to_first_token_ms: 2.25,
    queue_ms: 0.5,
    status: 'success',
    error_code: null,
    error_message: null,
    files: null,
    ...members,
  };
}

export const idOf = (number: number): string => `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;

export interface WrittenSpool {
  readonly directory: string;
  /** Everything before it is written. */
  readonly end: SpoolPlace;
  /** Appends to the newest segment. */
  write(entries: readonly SpoolEntry[]): Promise<void>;
  /** Appends bytes of no line. */
  writeBytes(bytes: Buffer): Promise<void>;
  /** What follows goes into the next segment. */
  rotate(): void;
}

export async function writtenSpool(folder: string): Promise<WrittenSpool> {
  const directory = join(folder, 'spool');
  await mkdir(directory, { recursive: true });
  let end: SpoolPlace = { segment: 1, offset: 0 };
  const writeBytes = async (bytes: Buffer): Promise<void> => {
    await appendFile(join(directory, segmentName(end.segment)), bytes);
    end = { ...end, offset: end.offset + bytes.length };
  };
  return {
    directory,
    get end() {
      return end;
    },
    write: (entries) => writeBytes(Buffer.concat(entries.map(encodeEntry))),
    writeBytes,
    rotate: () => {
      end = { segment: end.segment + 1, offset: 0 };
    },
  };
}

export const ended = (record: LogRecord): SpoolEntry => ({ type: 'end', record });

export interface ShipThread {
  readonly reports: readonly ShipReport[];
  send(command: ShipCommand): void;
  /** Tells it that all of the spool may be read. */
  appended(): void;
  /** Whether the last word on the database is that it answers. */
  readonly isConnected: boolean;
  /** Why not. */
  readonly reason: string | null;
  /** So many records as it has said are shipped. */
  readonly shipped: number;
  readonly deadLetters: number;
  /** Resolves when it has ended by itself. */
  close(graceMs?: number): Promise<void>;
  /** Ends it wherever it is. */
  kill(): Promise<void>;
}

export function startShipThread(t: Test, spool: WrittenSpool, backend: LogBackend, settings: Partial<ShipSettings> = {}): ShipThread {
  const workerData: ShipSettings = { backend, agentName: 'tested', spoolDir: spool.directory, retentionDays: 0, ...settings };
  const thread = new Worker(THREAD, { workerData, env: {}, resourceLimits: { maxOldGenerationSizeMb: 256 } });
  const exited = once(thread, 'exit');
  const reports: ShipReport[] = [];
  const last = <T extends ShipReport['type']>(type: T): Extract<ShipReport, { type: T }> | undefined =>
    reports.findLast((report): report is Extract<ShipReport, { type: T }> => report.type === type);
  thread.on('message', (report: ShipReport) => reports.push(report));
  thread.on('error', (error) => t.fail(`the thread broke: ${error.stack}`));
  const kill = async (): Promise<void> => {
    await thread.terminate();
  };
  t.teardown(kill);
  return {
    reports,
    send: (command) => thread.postMessage(command),
    appended: () => thread.postMessage({ type: 'appended', ...spool.end } satisfies ShipCommand),
    get isConnected() {
      return last('connected')?.connected === true;
    },
    get reason() {
      return last('connected')?.reason ?? null;
    },
    get shipped() {
      return reports.reduce((sum, report) => (report.type === 'shipped' ? sum + report.records : sum), 0);
    },
    get deadLetters() {
      return last('dead_letters')?.count ?? 0;
    },
    async close(graceMs = 20_000) {
      thread.postMessage({ type: 'close', graceMs } satisfies ShipCommand);
      await waitFor('the word that it is closed', () => last('closed'), graceMs + 10_000);
      await exited;
    },
    kill,
  };
}
