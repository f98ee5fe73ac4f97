// Shipping into a file of SQLite: what arrives there, how often, and what becomes of what cannot.
import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t, { type Test } from 'tap';
import type { LogRecord } from '../../../shared/log_record.ts';
import { makeFolder } from '../../helpers/folder.ts';
import { nothingIsLeft } from '../../helpers/leftovers.ts';
import { waitFor } from '../../helpers/wait_for.ts';
import { ended, idOf, recordOf, startShipThread, writtenSpool, type ShipThread } from './ship_thread.ts';

/** Without those that SQLite makes of token_usage. */
const COLUMNS = [...Object.keys(recordOf(1)), 'created_at'].join(', ');
const JSON_COLUMNS = ['request_headers', 'model_info', 'token_usage', 'files'];

/** The rows of a log whose writer has ended, by interaction, as records with `created_at`. */
function rowsOf(file: string): Record<string, unknown>[] {
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    const rows = db.prepare(`SELECT ${COLUMNS} FROM chat_logs ORDER BY interaction_id`).all();
    const parsed = (row: (typeof rows)[number]) => JSON_COLUMNS.map((name) => [name, JSON.parse((row[name] as string | null) ?? 'null') as unknown]);
    return rows.map((row) => ({ ...row, ...Object.fromEntries(parsed(row)) }));
  } finally {
    db.close();
  }
}

async function shipAll(t: Test, records: readonly LogRecord[]): Promise<{ readonly file: string; readonly thread: ShipThread }> {
  const folder = await makeFolder(t);
  const spool = await writtenSpool(folder);
  const file = join(folder, 'logs.db');
  const thread = startShipThread(t, spool, { type: 'sqlite', file });
  await spool.write(records.map(ended));
  thread.appended();
  await thread.close();
  return { file, thread };
}

t.test('records that come soon after each other are written together', async (t) => {
  const spool = await writtenSpool(await makeFolder(t));
  const thread = startShipThread(t, spool, { type: 'sqlite', file: join(spool.directory, 'logs.db') });
  await waitFor('the connection', () => thread.isConnected);
  for (let number = 0; number < 50; number += 1) {
    await spool.write([ended(recordOf(number))]);
    thread.appended();
  }
  await waitFor('all of them', () => thread.shipped === 50);
  const portions = thread.reports.filter(({ type }) => type === 'shipped').length;
  t.ok(portions < 50, `in ${portions} portions`);
  await thread.close();
});

t.test('every member of a record arrives as it was, once, in a file that only its owner reads', async (t) => {
  const folder = await makeFolder(t);
  const spool = await writtenSpool(folder);
  const file = join(folder, 'logs.db');
  const thread = startShipThread(t, spool, { type: 'sqlite', file });
  const records = [
    recordOf(1),
    recordOf(2, { status: 'error', error_code: 'model_failed', error_message: '\'s "o"', model_info: null, token_usage: null, total_tokens: null }),
    recordOf(3, { input_message: null, output_response: null, files: [{ name: 'ä€😀.png', type: 'image/png', size: 7 }], response_time_ms: null }),
  ];
  await spool.write([{ type: 'open', record: recordOf(9, { status: 'interrupted' }) }, ...records.map(ended)]);
  thread.appended();
  await waitFor('the records', () => thread.shipped === 3);
  t.ok(thread.isConnected);
  const files = readdirSync(folder).filter((name) => name.startsWith('logs.db'));
  const modes = files.map((name) => (statSync(join(folder, name)).mode & 0o777).toString(8));
  t.strictSame(modes, ['600', '600', '600'], 'the file, its write-ahead log and its index');
  await spool.write(records.map(ended));
  thread.appended();
  await thread.close();
  t.equal(thread.shipped, 6);
  const rows = rowsOf(file);
  t.strictSame(rows.map(({ created_at: _, ...row }) => row), records);
  t.ok(rows.every(({ created_at }) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(String(created_at))));
});

t.test('an interaction id that is used again is told, in one portion or later, and changes nothing; a record that comes once more is not told', async (t) => {
  const spool = await writtenSpool(await makeFolder(t));
  const file = join(spool.directory, 'logs.db');
  const thread = startShipThread(t, spool, { type: 'sqlite', file });
  const first = recordOf(1);
  const later = (number: number): LogRecord => recordOf(number, { timestamp: new Date(Date.now() + 5000).toISOString(), output_response: 'another' });
  const portions: readonly (readonly LogRecord[])[] = [[first, recordOf(2), later(2), recordOf(3)], [first, later(1), later(4)]];
  let sent = 0;
  for (const portion of portions) {
    await spool.write(portion.map(ended));
    thread.appended();
    sent += portion.length;
    await waitFor('the records', () => thread.shipped === sent, 20_000);
  }
  await thread.close();
  t.strictSame(thread.reports.flatMap((report) => (report.type === 'reused' ? report.interactionIds : [])), [idOf(2), idOf(1)]);
  t.strictSame(rowsOf(file).map(({ output_response: text }) => text), ['answer 1', 'answer 2', 'answer 3', 'another']);
});

t.test('an end replaces interrupted, whichever comes first; nothing else replaces anything, and nothing of another owner does', async (t) => {
  const interrupted = { status: 'interrupted', output_response: null } as const;
  const { file } = await shipAll(t, [
    recordOf(1, interrupted),
    recordOf(2),
    recordOf(1),
    recordOf(2, interrupted),
    recordOf(2, { output_response: 'a second end' }),
    recordOf(3, interrupted),
    recordOf(3, { owner: 'token:2' }),
  ]);
  t.strictSame(rowsOf(file).map(({ interaction_id, status, output_response }) => [interaction_id, status, output_response]), [
    [idOf(1), 'success', 'answer 1'],
    [idOf(2), 'success', 'answer 2'],
    [idOf(3), 'interrupted', null],
  ]);
});

t.test('texts are those that PostgreSQL would have kept', async (t) => {
  const { file } = await shipAll(t, [recordOf(1, { input_message: 'a\0b\uD800c' })]);
  t.equal(rowsOf(file)[0]?.['input_message'], 'a\uFFFDb\uFFFDc');
});

t.test('a record that cannot be a row is put aside and told; the others are there', async (t) => {
  const { file, thread } = await shipAll(t, [
    recordOf(1),
    recordOf(2, { owner: null as unknown as string }),
    recordOf(3, { user_id: { of: 'no type' } as unknown as string }),
    recordOf(4),
  ]);
  t.strictSame(rowsOf(file).map(({ interaction_id }) => interaction_id), [idOf(1), idOf(4)]);
  t.equal(thread.deadLetters, 2);
  const db = new DatabaseSync(file, { readOnly: true });
  const dead = db.prepare('SELECT json_extract(record, \'$.interaction_id\') AS id, reason FROM dead_letters ORDER BY number').all();
  db.close();
  t.strictSame(dead.map(({ id }) => id), [idOf(2), idOf(3)]);
  t.notMatch(JSON.stringify(dead.map(({ reason }) => reason)), /no type"/);
});

t.test('rows of this agent go when they are too old, in portions; those of others stay', async (t) => {
  const folder = await makeFolder(t);
  const spool = await writtenSpool(folder);
  const backend = { type: 'sqlite', file: join(folder, 'logs.db') } as const;
  const daysAgo = (days: number): string => new Date(Date.now() - days * 86_400_000).toISOString();
  const first = startShipThread(t, spool, backend);
  await spool.write([
    ...Array.from({ length: 2500 }, (_, number) => ended(recordOf(number, { timestamp: daysAgo(31) }))),
    ended(recordOf(5001, { timestamp: daysAgo(29) })),
    ended(recordOf(5002, { timestamp: daysAgo(31), agent_name: 'another' })),
  ]);
  first.appended();
  await first.close();
  t.equal(rowsOf(backend.file).length, 2502);
  const second = startShipThread(t, spool, backend, { retentionDays: 30 });
  const left = await waitFor('the end of the old rows', () => {
    const rows = rowsOf(backend.file);
    return rows.length === 2 && rows;
  });
  t.strictSame(left.map(({ interaction_id }) => interaction_id), [idOf(5001), idOf(5002)]);
  await second.close();
});

t.test('a file of a newer server, or of none, is told and left as it is; when it is gone, all goes on', async (t) => {
  const folder = await makeFolder(t);
  const spool = await writtenSpool(folder);
  const file = join(folder, 'logs.db');
  const newer = new DatabaseSync(file);
  newer.exec('PRAGMA user_version = 99; CREATE TABLE of_later (id)');
  newer.close();
  const thread = startShipThread(t, spool, { type: 'sqlite', file });
  await waitFor('the word', () => thread.reason);
  t.match(thread.reason, /of version 99, and this server knows them up to \d+/);
  writeFileSync(file, 'this is no database at all, and long enough to be looked at as one'.repeat(100));
  await waitFor('the other word', () => /not a database/.test(thread.reason ?? ''));
  await spool.write([ended(recordOf(1))]);
  thread.appended();
  t.equal(thread.shipped, 0);
  rmSync(file);
  await waitFor('the record', () => thread.shipped === 1);
  await thread.close();
  t.equal(rowsOf(file).length, 1);
});

t.test('the thread ends where it is, and the next one goes on from what was committed', async (t) => {
  const folder = await makeFolder(t);
  const spool = await writtenSpool(folder);
  const backend = { type: 'sqlite', file: join(folder, 'logs.db') } as const;
  await spool.write(Array.from({ length: 20_000 }, (_, number) => ended(recordOf(number))));
  for (let round = 0; round < 4; round += 1) {
    const thread = startShipThread(t, spool, backend);
    thread.appended();
    await waitFor('something that is shipped', () => thread.shipped > 0);
    await thread.kill();
  }
  const last = startShipThread(t, spool, backend);
  last.appended();
  await last.close();
  const rows = rowsOf(backend.file);
  t.equal(rows.length, 20_000);
  t.equal(new Set(rows.map(({ input_message }) => input_message)).size, 20_000);
});

nothingIsLeft(t);
