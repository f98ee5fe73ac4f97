// The supervisor's side of the shipping thread: one that breaks is started again, and told how far it may read.
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pino } from 'pino';
import t from 'tap';
import { Shipper } from '../../../supervisor/logs/shipper.ts';
import type { SpoolPlace } from '../../../shared/spool_format.ts';
import { makeFolder } from '../../helpers/folder.ts';
import { nothingIsLeft } from '../../helpers/leftovers.ts';
import { PROJECT } from '../../helpers/process.ts';
import { logRecord, startSpool } from './spool_harness.ts';
import { waitFor } from '../../helpers/wait_for.ts';

const BREAKING = pathToFileURL(join(PROJECT, 'test/fixtures/threads/breaking_shipper.mjs'));
const FALLING = pathToFileURL(join(PROJECT, 'test/fixtures/threads/falling_shipper.mjs'));
const RECORDS = 6000;
const PLACE: SpoolPlace = { segment: 3, offset: 99 };

t.test('a thread that breaks is told in the log and started again, and ships what there is', async (t) => {
  const lines: string[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
  const shipped: unknown[] = [];
  const spool = {
    onAppended: (listener: (place: SpoolPlace) => void) => listener(PLACE),
    shipped: (place: SpoolPlace, records: number) => void shipped.push({ ...place, records }),
  };
  const settings = { backend: { type: 'sqlite', file: 'unused' }, agentName: 'a', spoolDir: await makeFolder(t), retentionDays: 0 } as const;
  const shipper = new Shipper(settings, spool, log, BREAKING);
  t.notOk(shipper.isConnected);
  await waitFor('the second thread to ship', () => shipped.length > 0);
  t.strictSame(shipped, [{ ...PLACE, records: 1 }]);
  t.ok(shipper.isConnected);
  t.match(lines.join(''), /broken on purpose.*the thread that ships the log broke/);
  const upkeep = lines.filter((line) => /rows of the log that are too old/.test(line)).map((line) => JSON.parse(line) as Record<string, unknown>);
  t.match(upkeep, [{ level: 50, reason: 'the user lacks a privilege there', msg: /fails/ }, { level: 30, msg: /goes well again/ }]);
  await shipper.close();
  nothingIsLeft(t);
});

t.test('a real one that breaks in the middle of its work, again and again, loses nothing and doubles nothing', async (t) => {
  const lines: string[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
  const { spool, directory } = await startSpool(t);
  const file = join(await makeFolder(t), 'logs.db');
  const settings = { backend: { type: 'sqlite', file }, agentName: 'a', spoolDir: directory, retentionDays: 0 } as const;
  const shipper = new Shipper(settings, spool, log, FALLING);
  t.teardown(() => shipper.close());
  const falls = (): number => lines.filter((line) => line.includes('fallen on purpose')).length;
  let appended = 0;
  // Until it has broken often enough there is always something to ship.
  while (falls() < 3 || appended < RECORDS) {
    const batch = Array.from({ length: 100 }, () => spool.append({ type: 'end', record: logRecord({ status: 'success' }) }));
    t.ok((await Promise.all(batch)).every((kept) => kept === 'kept'));
    appended += batch.length;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await waitFor('all to be shipped', () => spool.spooled === 0, 30_000);
  await shipper.close();
  const db = new DatabaseSync(file, { readOnly: true });
  t.equal(Number(db.prepare('SELECT count(*) AS count FROM chat_logs').get()?.['count']), appended);
  db.close();
  t.equal(falls(), 3);
  t.equal(shipper.lost + spool.lost, 0);
});
