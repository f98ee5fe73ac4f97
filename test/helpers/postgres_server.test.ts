// The PostgreSQL that tests start: it answers, holds still, comes back with what was committed, and nothing is left of it.
import { existsSync } from 'node:fs';
import t from 'tap';
import { nothingIsLeft } from './leftovers.ts';
import { postgresOrSkip } from './postgres_server.ts';
import { spawnProcess } from './process.ts';
import { descendantsOf, isAlive } from './processes.ts';
import { waitFor } from './wait_for.ts';

t.test('it answers, is frozen and resumed, killed and started anew, and stopped even where it is frozen', async (t) => {
  const postgres = await postgresOrSkip(t);
  if (postgres === null) return;
  await postgres.query('CREATE TABLE kept (id int)');
  postgres.freeze();
  let answered = false;
  const asked = postgres.query('INSERT INTO kept VALUES ($1) RETURNING id', [7]).finally(() => (answered = true));
  await new Promise((resolve) => setTimeout(resolve, 200));
  t.notOk(answered);
  postgres.resume();
  t.strictSame(await asked, [{ id: 7 }]);
  const { pid } = postgres;
  const all = [pid, ...descendantsOf(pid)];
  t.ok(all.length > 1);
  await postgres.kill();
  t.strictSame(all.filter(isAlive), []);
  await t.rejects(postgres.query('SELECT 1'));
  await postgres.start();
  t.not(postgres.pid, pid);
  t.strictSame(await postgres.query('SELECT id FROM kept'), [{ id: 7 }]);
  postgres.freeze();
  await postgres.stop();
  t.notOk(isAlive(postgres.pid));
  t.notOk(existsSync(postgres.directory));
  await postgres.stop();
});

t.test('it does not outlive the process that started it, even where that is killed and it is frozen', async (t) => {
  if ((await postgresOrSkip(t)) === null) return;
  const words = [
    `const { startPostgres } = await import(${JSON.stringify(new URL('postgres_server.ts', import.meta.url).href)});`,
    'const server = await startPostgres(); server.freeze(); console.log(JSON.stringify({ pid: server.pid, directory: server.directory }));',
    'setInterval(() => {}, 1000);',
  ];
  const { process: starter, output, exited } = spawnProcess(process.execPath, ['--input-type=module', '-e', words.join('\n')]);
  const { pid, directory } = await waitFor('its start', () => (output.stdout.endsWith('\n') ? JSON.parse(output.stdout) : null), 30_000);
  const all = [pid, ...descendantsOf(pid)];
  t.ok(all.length > 1 && all.every(isAlive));
  starter.kill('SIGKILL');
  await exited;
  await waitFor('the end of PostgreSQL and its directory', () => !all.some(isAlive) && !existsSync(directory), 20_000);
});

nothingIsLeft(t);
