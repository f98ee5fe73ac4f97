// Shipping into a real PostgreSQL: what arrives there, how often, and what is left on the way.
import t from 'tap';
import type { LogRecord } from '../../../shared/log_record.ts';
import { makeFolder } from '../../helpers/folder.ts';
import { nothingIsLeft } from '../../helpers/leftovers.ts';
import { postgresOrSkip } from '../../helpers/postgres_server.ts';
import { waitFor } from '../../helpers/wait_for.ts';
import { ended, idOf, recordOf, startShipThread, writtenSpool } from './ship_thread.ts';

const ROWS = `
  SELECT interaction_id, to_char("timestamp" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS "timestamp", agent_name, session_id, user_id, owner,
  endpoint, input_message, output_response, request_headers, model_info, token_usage, total_tokens::int, response_time_ms,
  time_to_first_token_ms, queue_ms, status, error_code, error_message, files FROM chat_logs ORDER BY interaction_id`;

t.test('every member of a record arrives as it was, once, and nothing of it stays in the queue', async (t) => {
  const postgres = await postgresOrSkip(t);
  if (postgres === null) return;
  const spool = await writtenSpool(await makeFolder(t));
  const thread = startShipThread(t, spool, { type: 'postgres', url: postgres.url });
  await waitFor('the connection', () => thread.isConnected);

  const records = [
    recordOf(1),
    recordOf(2, { status: 'error', error_code: 'model_failed', error_message: '\'s "o"', model_info: null, token_usage: null, total_tokens: null }),
    recordOf(3, { input_message: null, output_response: null, files: [{ name: 'ä€😀.png', type: 'image/png', size: 7 }], response_time_ms: null }),
  ];
  await spool.write([{ type: 'open', record: recordOf(9, { status: 'interrupted' }) }, ...records.map(ended)]);
  thread.appended();
  const rows = await waitFor('the rows', async () => {
    const found = await postgres.query(ROWS);
    return found.length === 3 && found;
  });
  t.strictSame(rows, records);
  t.equal(thread.shipped, 3);
  t.strictSame(await postgres.query('SELECT * FROM chat_logs_queue.job'), []);
  const [{ created }] = await postgres.query('SELECT bool_and(created_at > now() - interval \'1 minute\') AS created FROM chat_logs');
  t.ok(created);

  await spool.write(records.map(ended));
  thread.appended();
  await waitFor('the second time', () => thread.shipped === 6);
  await thread.close();
  t.strictSame(await postgres.query(ROWS), records);
  t.strictSame(await postgres.query('SELECT * FROM chat_logs_queue.job'), []);
});

t.test('a record is a row within a second', async (t) => {
  const postgres = await postgresOrSkip(t);
  if (postgres === null) return;
  const spool = await writtenSpool(await makeFolder(t));
  const thread = startShipThread(t, spool, { type: 'postgres', url: postgres.url });
  await waitFor('the connection', () => thread.isConnected, 20_000);
  // On a busy machine it may take some tries.
  const tookMs: number[] = [];
  while (tookMs.length < 5 && (tookMs.at(-1) ?? 1000) >= 1000) {
    await spool.write([ended(recordOf(tookMs.length))]);
    const sentAt = performance.now();
    thread.appended();
    await waitFor('the row', async () => (await postgres.query('SELECT 1 FROM chat_logs')).length > tookMs.length);
    tookMs.push(Math.round(performance.now() - sentAt));
  }
  t.ok(Math.min(...tookMs) < 1000, `${tookMs.join(', ')} ms`);
  await thread.close();
});

t.test('an end replaces interrupted, whichever comes first; nothing else replaces anything, and nothing of another owner does', async (t) => {
  const postgres = await postgresOrSkip(t);
  if (postgres === null) return;
  const spool = await writtenSpool(await makeFolder(t));
  const thread = startShipThread(t, spool, { type: 'postgres', url: postgres.url });
  const ship = async (...records: readonly LogRecord[]): Promise<void> => {
    const before = thread.shipped;
    await spool.write(records.map(ended));
    thread.appended();
    await waitFor('the records', () => thread.shipped === before + records.length, 20_000);
    await waitFor('an empty queue', async () => (await postgres.query('SELECT id FROM chat_logs_queue.job')).length === 0);
  };
  const interrupted = { status: 'interrupted', output_response: null } as const;
  const second = { output_response: 'a second end' };
  await ship(recordOf(1, interrupted), recordOf(2), recordOf(3, interrupted), recordOf(3), recordOf(3, second), recordOf(4, interrupted));
  await ship(recordOf(1), recordOf(2, interrupted), recordOf(4, { owner: 'token:2' }));
  await ship(recordOf(1, second));
  const rows = await postgres.query('SELECT interaction_id, status, output_response FROM chat_logs ORDER BY interaction_id');
  t.strictSame(rows, [
    { interaction_id: idOf(1), status: 'success', output_response: 'answer 1' },
    { interaction_id: idOf(2), status: 'success', output_response: 'answer 2' },
    { interaction_id: idOf(3), status: 'success', output_response: 'answer 3' },
    { interaction_id: idOf(4), status: 'interrupted', output_response: null },
  ]);
  await thread.close();
});

t.test('texts that PostgreSQL cannot store lose what is wrong with them, and nothing else', async (t) => {
  const postgres = await postgresOrSkip(t);
  if (postgres === null) return;
  const spool = await writtenSpool(await makeFolder(t));
  const thread = startShipThread(t, spool, { type: 'postgres', url: postgres.url });
  await spool.write([
    ended(recordOf(1, {
      input_message: 'a\0b\uD800c\uDC00 😀 \\u0000',
      request_headers: { 'user-agent': 'x\0\uDFFF' },
      files: [{ name: '\0', type: 'text/plain', size: 1 }],
    })),
  ]);
  thread.appended();
  await thread.close();
  const [row] = await postgres.query('SELECT input_message, request_headers, files FROM chat_logs');
  t.strictSame(row, {
    input_message: 'a\uFFFDb\uFFFDc\uFFFD 😀 \\u0000',
    request_headers: { 'user-agent': 'x\uFFFD\uFFFD' },
    files: [{ name: '\uFFFD', type: 'text/plain', size: 1 }],
  });
  t.equal(thread.deadLetters, 0);
});

t.test('a figure of tokens that is no number is kept, and is none of the statistics', async (t) => {
  const postgres = await postgresOrSkip(t);
  if (postgres === null) return;
  const spool = await writtenSpool(await makeFolder(t));
  const thread = startShipThread(t, spool, { type: 'postgres', url: postgres.url });
  const odd = { input_tokens: 'many', output_tokens: 1e300, total_tokens: 3 } as unknown as LogRecord['token_usage'];
  await spool.write([ended(recordOf(1, { token_usage: odd })), ended(recordOf(2))]);
  thread.appended();
  await thread.close();
  const rows = await postgres.query('SELECT token_usage, input_tokens, output_tokens FROM chat_logs ORDER BY interaction_id');
  t.strictSame(rows, [
    { token_usage: odd, input_tokens: null, output_tokens: 1e300 },
    { token_usage: recordOf(2).token_usage, input_tokens: 1, output_tokens: 2 },
  ]);
  t.equal(thread.deadLetters, 0);
});

t.test('rows of this agent go when they are too old, in portions; those of others stay', async (t) => {
  const postgres = await postgresOrSkip(t);
  if (postgres === null) return;
  const spool = await writtenSpool(await makeFolder(t));
  const backend = { type: 'postgres', url: postgres.url } as const;
  const first = startShipThread(t, spool, backend);
  const daysAgo = (days: number): string => new Date(Date.now() - days * 86_400_000).toISOString();
  await spool.write([
    ...Array.from({ length: 2500 }, (_, number) => ended(recordOf(number, { timestamp: daysAgo(31) }))),
    ended(recordOf(5001, { timestamp: daysAgo(29) })),
    ended(recordOf(5002, { timestamp: daysAgo(31), agent_name: 'another' })),
  ]);
  first.appended();
  await first.close();
  t.equal((await postgres.query('SELECT 1 FROM chat_logs')).length, 2502);
  const second = startShipThread(t, spool, backend, { retentionDays: 30 });
  const left = await waitFor('the end of the old rows', async () => {
    const rows = await postgres.query('SELECT interaction_id FROM chat_logs ORDER BY 1');
    return rows.length === 2 && rows;
  }, 20_000);
  t.strictSame(left.map(({ interaction_id }) => interaction_id), [idOf(5001), idOf(5002)]);
  await second.close();
});

t.test('that old rows cannot be deleted is told once, without what the database says, and that they can be again', async (t) => {
  const postgres = await postgresOrSkip(t);
  if (postgres === null) return;
  const spool = await writtenSpool(await makeFolder(t));
  const backend = { type: 'postgres', url: postgres.url } as const;
  const old = new Date(Date.now() - 31 * 86_400_000).toISOString();
  await spool.write([ended(recordOf(1, { timestamp: old }))]);
  const first = startShipThread(t, spool, backend);
  first.appended();
  await first.close();
  await postgres.query("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'private: %', OLD.input_message; END $$");
  await postgres.query('CREATE TRIGGER refuse BEFORE DELETE ON chat_logs FOR EACH ROW EXECUTE FUNCTION refuse()');
  const thread = startShipThread(t, spool, backend, { retentionDays: 30 });
  const told = () => thread.reports.filter((report) => report.type === 'upkeep');
  const failure = { type: 'upkeep', work: 'retention', reason: 'PostgreSQL answered with the error P0001' };
  await waitFor('the word of it', () => told().length > 0, 20_000);
  t.strictSame(told(), [failure]);
  t.ok(thread.isConnected, 'the database is used all the same');

  // Whoever connects anew tries at once.
  const reconnect = async (): Promise<void> => {
    await postgres.kill();
    await waitFor('the word that it is away', () => !thread.isConnected, 20_000);
    await postgres.start();
    await waitFor('it to connect anew', () => thread.isConnected, 20_000);
  };
  await reconnect();
  await postgres.query('DROP TRIGGER refuse ON chat_logs');
  await reconnect();
  await waitFor('the word that it is over', () => told().length > 1, 20_000);
  t.strictSame(told(), [failure, { ...failure, reason: null }], 'what is told already is not told again');
  t.strictSame(await postgres.query('SELECT 1 FROM chat_logs'), []);
  await thread.close();
});

nothingIsLeft(t);
