// What the page on the log tells whoever runs its database: the rights that it names are enough, its statements on dead letters do what they say.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import t from 'tap';
import { openSqliteStore } from '../worker/logs/sqlite_store.ts';
import { makeFolder } from './helpers/folder.ts';
import { nothingIsLeft } from './helpers/leftovers.ts';
import { codeBlocksOf, rowsOf, sectionOf } from './helpers/markdown.ts';
import { postgresOrSkip, type PostgresServer } from './helpers/postgres_server.ts';
import { PROJECT } from './helpers/process.ts';
import { waitFor } from './helpers/wait_for.ts';
import { ended, recordOf, startShipThread, writtenSpool } from './worker/logs/ship_thread.ts';

const PAGE = readFileSync(join(PROJECT, 'docs/logs.md'), 'utf8');
/** The SQL of a section, block by block, each in its statements. */
function sqlOf(title: string): string[][] {
  const blocks = codeBlocksOf(sectionOf(PAGE, title)).filter(({ language }) => language === 'sql');
  return blocks.map(({ text }) => text.split(/;\n/).filter((each) => each.trim() !== ''));
}

/** A URL of the database that the page names. */
function urlOf({ url }: PostgresServer, user?: string, password = ''): string {
  const parsed = new URL(url);
  parsed.pathname = '/agent_logs';
  if (user !== undefined) [parsed.username, parsed.password] = [user, password];
  return parsed.href;
}

/** Runs the statements one after another. @returns the rows of the last one */
async function run(url: string, statements: readonly string[]): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    let rows: Record<string, unknown>[] = [];
    for (const statement of statements) rows = (await client.query(statement)).rows;
    return rows;
  } finally {
    await client.end();
  }
}

t.test('with the rights of the page a server makes its tables, and with less than those it goes on', async (t) => {
  const postgres = await postgresOrSkip(t);
  if (postgres === null) return;
  const [[create = '', ...first] = [], later = []] = sqlOf('PostgreSQL');
  await postgres.query(create);
  t.ok(first[0]?.startsWith('\\c agent_logs\n'), 'what follows runs inside of it');
  await run(urlOf(postgres), first.map((statement) => statement.replace(/^\\c .*\n/, '')));
  const spool = await writtenSpool(await makeFolder(t));
  const backend = { type: 'postgres', url: urlOf(postgres, 'agent_server', 'one-secret') } as const;
  const old = new Date(Date.now() - 31 * 86_400_000).toISOString();
  await spool.write([ended(recordOf(1)), ended(recordOf(2, { timestamp: old }))]);
  const making = startShipThread(t, spool, backend);
  making.appended();
  await waitFor('the first records', () => making.shipped === 2, 20_000);
  await making.close();

  await run(urlOf(postgres), later);
  await t.rejects(run(backend.url, ['CREATE SCHEMA another']), { code: '42501' });
  await spool.write([ended(recordOf(3))]);
  const going = startShipThread(t, spool, backend, { retentionDays: 30 });
  going.appended();
  const reader = urlOf(postgres, 'log_reader', 'another-secret');
  await waitFor('the third without the old one', async () => {
    const ids = (await run(reader, ['SELECT interaction_id FROM chat_logs ORDER BY 1'])).map(({ interaction_id }) => interaction_id);
    return ids.length === 2 && ids.includes(recordOf(3).interaction_id);
  }, 20_000);
  for (const text of ['SELECT * FROM chat_logs_queue.job', 'DELETE FROM chat_logs']) await t.rejects(run(reader, [text]), { code: '42501' });
  await going.close();
  t.strictSame(going.reports.filter(({ type }) => type === 'upkeep'), []);
});

t.test('dead letters are shown, put back and deleted', async (t) => {
  const postgres = await postgresOrSkip(t);
  if (postgres === null) return;
  await postgres.query('CREATE DATABASE agent_logs');
  const [[show = '', putBack = '', remove = ''] = []] = sqlOf('Dead letters');
  const spool = await writtenSpool(await makeFolder(t));
  const thread = startShipThread(t, spool, { type: 'postgres', url: urlOf(postgres) });
  await waitFor('the connection', () => thread.isConnected, 20_000);
  await run(urlOf(postgres), [
    'ALTER TABLE chat_logs ADD CONSTRAINT few CHECK (total_tokens < 10)',
    // So that nobody waits for what fails each time.
    'UPDATE chat_logs_queue.queue SET retry_delay = 0, retry_backoff = false',
  ]);
  const dead = [1, 2, 3].map((number) => recordOf(number, { total_tokens: 10, input_message: `private ${number}` }));
  await spool.write([...dead, recordOf(4)].map(ended));
  thread.appended();
  await waitFor('the dead letters', () => thread.deadLetters === 3, 40_000);

  const shown = await run(urlOf(postgres), [show]);
  t.match(shown, dead.map(() => ({ agent_name: 'tested', reason: 'PostgreSQL answered with the error 23514' })));
  t.strictSame(shown.map(({ interaction_id }) => interaction_id).toSorted(), dead.map(({ interaction_id }) => interaction_id));
  t.notMatch(JSON.stringify(shown), /private/);
  await t.rejects(run(urlOf(postgres), [putBack]), { code: '23514' });
  t.equal((await run(urlOf(postgres), [show])).length, 3, 'what could not be put back is still there');
  await run(urlOf(postgres), ['ALTER TABLE chat_logs DROP CONSTRAINT few', putBack]);
  const rows = await run(urlOf(postgres), ['SELECT interaction_id, input_message, created_at, token_usage FROM chat_logs ORDER BY 1']);
  const members = [...dead, recordOf(4)].map(({ interaction_id, input_message, token_usage }) => ({ interaction_id, input_message, token_usage }));
  t.match(rows, members.map((each) => ({ ...each, created_at: Date })));
  t.strictSame(await run(urlOf(postgres), [show]), []);

  await run(urlOf(postgres), [`INSERT INTO chat_logs_queue.job (name, data) VALUES ('chat_logs_dead', '{"records":[{}]}')`, remove]);
  t.strictSame(await run(urlOf(postgres), [show]), []);
  await thread.close();
});

t.test('in SQLite they are shown and deleted', async (t) => {
  const file = join(await makeFolder(t), 'logs.db');
  const counted: number[] = [];
  const store = openSqliteStore(file, { agentName: 'a', retentionDays: 0, onDeadLetters: (count) => void counted.push(count), onReused: () => undefined });
  await store.add([recordOf(1, { endpoint: null as never })]);
  const [, [show = '', remove = ''] = []] = sqlOf('Dead letters');
  const db = new DatabaseSync(file);
  t.match(db.prepare(show).all(), [{ interaction_id: recordOf(1).interaction_id, reason: /^SQLite answered with the error/ }]);
  db.exec(remove);
  await store.maintain();
  t.strictSame(counted, [0, 1, 0]);
  db.close();
  await store.close();
});

t.test('the page names every sslmode that it speaks of once', async (t) => {
  const modes = rowsOf(PAGE, 'sslmode').flatMap(([names = '']) => names.split(', '));
  t.strictSame(modes, ['none', 'disable', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify']);
});

nothingIsLeft(t);
