// Records for the spool, the spool itself in a folder of its own, and what stands in its segments.
import { randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Test } from 'tap';
import type { LogRecord } from '../../../shared/log_record.ts';
import { decodeLines, recordOf, segmentName, segmentNumber, type DamagedRange } from '../../../shared/spool_format.ts';
import { openSpool, type Spool } from '../../../supervisor/logs/spool.ts';
import type { SpoolLimits } from '../../../supervisor/logs/spool_limits.ts';
import { makeFolder } from '../../helpers/folder.ts';

export const MIB = 1024 * 1024;

export function logRecord(fields: Partial<LogRecord> = {}): LogRecord {
  return {
    interaction_id: randomUUID(),
    timestamp: '2026-01-02T03:04:05.678Z',
    agent_name: 'an agent',
    session_id: 'a session',
    user_id: 'user',
    owner: 'anonymous',
    endpoint: '/chat',
    input_message: 'hi',
    output_response: null,
    request_headers: { accept: '*/*' },
    model_info: null,
    token_usage: null,
    total_tokens: null,
    response_time_ms: null,
    time_to_first_token_ms: null,
    queue_ms: null,
    status: 'interrupted',
    error_code: null,
    error_message: null,
    files: null,
    ...fields,
  };
}

export interface SpoolHarness {
  readonly directory: string;
  readonly spool: Spool;
  /** Lines of the server's own log. */
  readonly logged: string[];
}

interface HarnessOptions {
  readonly directory?: string;
  readonly maxBytes?: number;
  readonly limits?: Partial<SpoolLimits>;
}

/** Opens a spool, which is closed when the test ends, if not before. */
export async function startSpool(t: Test, { directory, maxBytes = 64 * MIB, limits }: HarnessOptions = {}): Promise<SpoolHarness> {
  const folder = directory ?? join(await makeFolder(t), 'spool');
  const logged: string[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void logged.push(line) });
  const spool = await openSpool({ directory: folder, maxBytes, log }, limits);
  t.teardown(() => spool.close());
  return { directory: folder, spool, logged };
}

/** What is in the segments: a word for each line, such as `open a`, by the interaction's id; and where they are damaged. */
export async function readSpool(directory: string): Promise<{ readonly words: string[]; readonly damaged: DamagedRange[]; readonly records: LogRecord[] }> {
  const words: string[] = [];
  const damaged: DamagedRange[] = [];
  const records: LogRecord[] = [];
  for (const name of await segmentNames(directory)) {
    const buffer = await readFile(join(directory, name));
    const decoded = decodeLines(buffer);
    for (const line of decoded.lines) {
      words.push(`${line.type} ${line.interactionId}`);
      records.push(recordOf(line));
    }
    damaged.push(...decoded.damaged);
    if (decoded.end < buffer.length) damaged.push({ offset: decoded.end, bytes: buffer.length - decoded.end });
  }
  return { words, damaged, records };
}

export async function segmentNames(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => segmentNumber(name) !== null).toSorted();
}

export function segmentFile(directory: string, number: number): string {
  return join(directory, segmentName(number));
}
