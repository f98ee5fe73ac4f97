// Appends to a spool as fast as it can, many at a time, until it is killed; what is acknowledged is noted in a file.
import { openSync, writeSync } from 'node:fs';
import { pino } from 'pino';
import { openSpool } from '../../../supervisor/logs/spool.ts';
import { logRecord } from './spool_harness.ts';

const [directory = '', name = '', notesFile = ''] = process.argv.slice(2);
const AT_ONCE = 50;

const spool = await openSpool({ directory, maxBytes: 2 ** 40, log: pino({ level: 'silent' }) }, { segmentBytes: 1_000_000 });
const notes = openSync(notesFile, 'a');
let count = 0;

async function interact(): Promise<void> {
  for (;;) {
    const interaction_id = `${name}-${count}`;
    count += 1;
    await spool.append({ type: 'open', record: logRecord({ interaction_id, input_message: 'x'.repeat(count % 3000) }) });
    // Synchronously: what is noted has left this process, whatever becomes of it.
    writeSync(notes, `open ${interaction_id}\n`);
    await spool.append({ type: 'end', record: logRecord({ interaction_id, status: 'success', output_response: 'y'.repeat(count % 5000) }) });
    writeSync(notes, `end ${interaction_id}\n`);
  }
}

await Promise.all(Array.from({ length: AT_ONCE }, interact));
