// Transactions of whoever writes the log: none of them keeps others waiting for ever.
import t from 'tap';
import { openPostgres } from '../../../worker/logs/postgres_link.ts';
import { alone } from '../../../worker/logs/migrate.ts';
import { nothingIsLeft } from '../../helpers/leftovers.ts';
import { postgresOrSkip } from '../../helpers/postgres_server.ts';
import { spawnProcess } from '../../helpers/process.ts';
import { waitFor } from '../../helpers/wait_for.ts';

t.test('a server that is frozen while it is alone with the database keeps no other from it', async (t) => {
  const postgres = await postgresOrSkip(t);
  if (postgres === null) return;
  const from = (file: string): string => JSON.stringify(new URL(`../../../worker/logs/${file}`, import.meta.url).href);
  const words = [
    `const { openPostgres } = await import(${from('postgres_link.ts')}); const { alone } = await import(${from('migrate.ts')});`,
    `const link = openPostgres(${JSON.stringify(postgres.url)}, { statementMs: 8000, idleMs: 1000 });`,
    'await alone(link, async () => { console.log("alone"); await new Promise((resolve) => setTimeout(resolve, 60_000)); });',
  ];
  const frozen = spawnProcess(process.execPath, ['--input-type=module', '-e', words.join('\n')]);
  t.teardown(() => {
    frozen.process.kill('SIGKILL');
    return frozen.exited;
  });
  await waitFor('its being alone', () => frozen.output.stdout.includes('alone'), 20_000);
  frozen.process.kill('SIGSTOP');
  const link = openPostgres(postgres.url);
  t.teardown(() => link.close());
  t.equal(await alone(link, async () => 'done'), 'done');
});

t.test('every transaction has a limit to its idleness, in this session\'s next one as well', async (t) => {
  const postgres = await postgresOrSkip(t);
  if (postgres === null) return;
  const link = openPostgres(postgres.url);
  t.teardown(() => link.close());
  const limit = () => link.transaction(async (tx) => (await tx.query("SELECT current_setting('idle_in_transaction_session_timeout') AS limit")).rows);
  t.strictSame([await limit(), await limit()], [[{ limit: '15s' }], [{ limit: '15s' }]]);
  t.strictSame(await link.longTransaction(async (tx) => (await tx.query("SELECT current_setting('statement_timeout') AS limit")).rows), [{ limit: '0' }]);
});

nothingIsLeft(t);
