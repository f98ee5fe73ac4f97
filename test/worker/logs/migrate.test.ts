// Migrations of PostgreSQL: those that take long, and those whose table others hold.
import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import t from 'tap';
import { migrate } from '../../../worker/logs/migrate.ts';
import { openPostgres } from '../../../worker/logs/postgres_link.ts';
import { makeFolder } from '../../helpers/folder.ts';
import { nothingIsLeft } from '../../helpers/leftovers.ts';
import { postgresOrSkip } from '../../helpers/postgres_server.ts';
import { PROJECT } from '../../helpers/process.ts';

const FIRST = '001_chat_logs.sql';
const VERSIONS = 'SELECT version FROM chat_logs_migrations ORDER BY 1';

t.test('a migration may take longer than any other statement', async (t) => {
  const postgres = await postgresOrSkip(t);
  if (postgres === null) return;
  const directory = await makeFolder(t);
  // With its margin an answer is waited for 2.1 s.
  const link = openPostgres(postgres.url, { statementMs: 100, idleMs: 15_000 });
  t.teardown(() => link.close());
  await t.rejects(link.transaction((tx) => tx.query('SELECT pg_sleep(2.5)')), { code: '57014' });
  await copyFile(join(PROJECT, 'worker/logs/migrations', FIRST), join(directory, FIRST));
  await writeFile(join(directory, '002_slow.sql'), 'SELECT pg_sleep(2.5); ALTER TABLE chat_logs ADD COLUMN slow text');
  await migrate(link, directory);
  t.strictSame(await postgres.query(VERSIONS), [{ version: 1 }, { version: 2 }]);
  t.strictSame(await postgres.query('SELECT slow FROM chat_logs'), []);
});

t.test('one whose table somebody holds gives up soon, so that nobody waits behind it, and is applied when it is tried again', async (t) => {
  const postgres = await postgresOrSkip(t);
  if (postgres === null) return;
  const directory = await makeFolder(t);
  const link = openPostgres(postgres.url);
  t.teardown(() => link.close());
  await copyFile(join(PROJECT, 'worker/logs/migrations', FIRST), join(directory, FIRST));
  await migrate(link, directory);
  await writeFile(join(directory, '002_more.sql'), 'ALTER TABLE chat_logs ADD COLUMN more text');
  const reader = new pg.Client({ connectionString: postgres.url });
  t.teardown(() => reader.end());
  await reader.connect();
  await reader.query('BEGIN; SELECT 1 FROM chat_logs');
  await t.rejects(migrate(link, directory), { code: '55P03' });
  t.strictSame(await postgres.query(VERSIONS), [{ version: 1 }]);
  await reader.query('COMMIT');
  await migrate(link, directory);
  t.strictSame(await postgres.query(VERSIONS), [{ version: 1 }, { version: 2 }]);
});

nothingIsLeft(t);
