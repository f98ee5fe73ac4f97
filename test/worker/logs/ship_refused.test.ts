// What PostgreSQL does not take: a record that it refuses, and one whose id another has. No other record waits for them, and somebody is told.
import t from 'tap';
import type { LogRecord } from '../../../shared/log_record.ts';
import { makeFolder } from '../../helpers/folder.ts';
import { nothingIsLeft } from '../../helpers/leftovers.ts';
import { postgresOrSkip } from '../../helpers/postgres_server.ts';
import { openPostgresStore } from '../../../worker/logs/postgres_store.ts';
import { waitFor } from '../../helpers/wait_for.ts';
import { ended, idOf, recordOf, startShipThread, writtenSpool } from './ship_thread.ts';

const byId = (a: LogRecord, b: LogRecord): number => a.interaction_id.localeCompare(b.interaction_id);

t.test('a record that the database refuses keeps no other from its place, and is told when it is given up', async (t) => {
  const postgres = await postgresOrSkip(t);
  if (postgres === null) return;
  const spool = await writtenSpool(await makeFolder(t));
  const thread = startShipThread(t, spool, { type: 'postgres', url: postgres.url }, { retentionDays: 40 });
  const poison = [recordOf(3, { timestamp: 'yesterday, private words' }), recordOf(6, { total_tokens: 'many' as unknown as number })];
  await spool.write([...[1, 2, 4, 5, 7].map((number) => recordOf(number)), ...poison].toSorted(byId).map(ended));
  thread.appended();
  await waitFor('the others', async () => (await postgres.query('SELECT 1 FROM chat_logs').catch(() => [])).length === 5, 20_000);
  await waitFor('the dead letters', () => thread.deadLetters === 2, 60_000);
  const jobs = await postgres.query(
    'SELECT name, data, extract(day FROM keep_until - created_on)::int AS days FROM chat_logs_queue.job ORDER BY data::text',
  );
  t.strictSame(jobs.map(({ name }) => name), ['chat_logs_dead', 'chat_logs_dead'], 'no job is left in the queue itself');
  t.strictSame(jobs.map(({ data }) => data.records[0].interaction_id).toSorted(), [idOf(3), idOf(6)]);
  t.strictSame(jobs.map(({ days }) => days), [40, 40], 'they are kept for as long as rows are');
  t.ok(thread.isConnected);

  await spool.write([ended(recordOf(8))]);
  thread.appended();
  await thread.close();
  t.equal((await postgres.query('SELECT 1 FROM chat_logs')).length, 6);

  const next = startShipThread(t, spool, { type: 'postgres', url: postgres.url });
  await waitFor('the dead letters of before', () => next.deadLetters === 2, 20_000);
  t.notMatch(JSON.stringify([...thread.reports, ...next.reports]), /private/);
  await next.close();
});

t.test('what a trigger or a constraint of somebody else\'s refuses keeps no other record from its place, whatever its error, and when it comes', async (t) => {
  const postgres = await postgresOrSkip(t);
  if (postgres === null) return;
  const spool = await writtenSpool(await makeFolder(t));
  const thread = startShipThread(t, spool, { type: 'postgres', url: postgres.url });
  await waitFor('the connection', () => thread.isConnected, 20_000);
  await postgres.query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.input_message = 'raise' THEN RAISE EXCEPTION 'private'; END IF;
    IF NEW.input_message = 'assert' THEN PERFORM no_such_function(); END IF;
    IF NEW.input_message = TG_ARGV[0] THEN RAISE EXCEPTION 'private' USING ERRCODE = 'PRIVA'; END IF;
    RETURN NEW; END $$`);
  await postgres.query("CREATE TRIGGER refuse BEFORE INSERT ON chat_logs FOR EACH ROW EXECUTE FUNCTION refuse('')");
  await postgres.query("CREATE CONSTRAINT TRIGGER late AFTER INSERT ON chat_logs DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse('late')");
  const refused = ['raise', 'assert', 'late'];
  await spool.write([...refused.map((input_message, index) => recordOf(2 * index, { input_message })), recordOf(1), recordOf(3), recordOf(5)].toSorted(byId).map(ended));
  thread.appended();
  await waitFor('the others', async () => (await postgres.query('SELECT 1 FROM chat_logs')).length === 3, 20_000);
  await waitFor('the dead letters', () => thread.deadLetters === 3, 60_000);
  const dead = await postgres.query("SELECT source_output->>'reason' AS reason FROM chat_logs_queue.job WHERE name = 'chat_logs_dead' ORDER BY 1");
  t.strictSame(dead.map(({ reason }) => reason.slice(-5)), ['42883', 'P0001', 'PRIVA']);
  t.ok(thread.isConnected);
  await thread.close();
  t.notMatch(JSON.stringify(thread.reports), /private/);
});

t.test('records that together take too long are moved by fewer', async (t) => {
  const postgres = await postgresOrSkip(t);
  if (postgres === null) return;
  const ignore = (): void => undefined;
  const settings = { agentName: 'tested', retentionDays: 0, onDeadLetters: ignore, onReused: ignore };
  const open = () => openPostgresStore(postgres.url, settings, new AbortController().signal, { statementMs: 1000, idleMs: 10_000 });
  const store = await open();
  await postgres.query("CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.3); RETURN NEW; END'");
  await postgres.query('CREATE TRIGGER wait AFTER INSERT ON chat_logs FOR EACH ROW EXECUTE FUNCTION wait()');
  await store.add([1, 2, 3, 4, 5].map((number) => recordOf(number)));
  await store.add([recordOf(6)]);
  // Whoever opens it moves some first, too.
  const other = await open();
  await store.settle();
  t.equal((await postgres.query('SELECT 1 FROM chat_logs')).length, 6);
  await Promise.all([store.close(), other.close()]);
});

t.test('an interaction id that is used again is told, in one portion or later, and changes nothing; a record that comes once more is not told', async (t) => {
  const postgres = await postgresOrSkip(t);
  if (postgres === null) return;
  const spool = await writtenSpool(await makeFolder(t));
  const thread = startShipThread(t, spool, { type: 'postgres', url: postgres.url });
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
  const rows = await postgres.query('SELECT output_response AS text FROM chat_logs ORDER BY interaction_id');
  t.strictSame(rows.map(({ text }) => text), ['answer 1', 'answer 2', 'answer 3', 'another']);
});

nothingIsLeft(t);
