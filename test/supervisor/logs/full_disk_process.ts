// Appends to a spool on a disk that is nearly full, gives it room and appends again; prints what it was told and what is there in the end.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Kept } from '../../../supervisor/logs/line_queue.ts';
import { openSpool } from '../../../supervisor/logs/spool.ts';
import { logRecord, readSpool } from './spool_harness.ts';

/** A file of this name in the directory is what fills the disk. */
const BALLAST = 'ballast';

export interface FullDiskReport {
  /** The ids of what was appended, before and after there was room again. */
  readonly kept: { readonly before: string[]; readonly after: string[] };
  readonly lost: number;
  readonly counted: number;
  readonly degraded: { readonly before: boolean; readonly after: boolean };
  readonly found: Awaited<ReturnType<typeof readSpool>>;
  readonly logged: string[];
}

const [directory = ''] = process.argv.slice(2);
const logged: string[] = [];
const log = pino({ level: 'info' }, { write: (line: string) => void logged.push(line) });
const spool = await openSpool({ directory: join(directory, 'spool'), maxBytes: 2 ** 40, log });
let count = 0;
let lost = 0;

/** Many at once, of lengths such that the disk is full in the middle of a line. */
async function appendAll(rounds: number): Promise<string[]> {
  const kept: string[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const ids = Array.from({ length: 20 }, () => `id-${(count += 1)}`);
    const append = (id: string, i: number): Promise<Kept> =>
      spool.append({ type: 'end', record: logRecord({ interaction_id: id, output_response: 'x'.repeat(1000 + 37 * i) }) });
    const told = await Promise.all(ids.map(append));
    kept.push(...ids.filter((_, i) => told[i] === 'kept'));
    lost += told.filter((each) => each === 'lost').length;
  }
  return kept;
}

// Of this one only a part has a place: the segment is as empty afterwards.
const tooLong = logRecord({ output_response: 'x'.repeat(400_000) });
if ((await spool.append({ type: 'end', record: tooLong })) === 'lost') lost += 1;
const before = await appendAll(40);
const wasDegraded = spool.isDegraded;
await rm(join(directory, BALLAST), { force: true });
const after = await appendAll(3);
const degraded = { before: wasDegraded, after: spool.isDegraded };
const counted = spool.lost;
await spool.close();
const report: FullDiskReport = { kept: { before, after }, lost, counted, degraded, found: await readSpool(join(directory, 'spool')), logged };
process.stdout.write(JSON.stringify({ ...report, found: { ...report.found, records: [] } }));
