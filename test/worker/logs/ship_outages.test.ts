// Shipping while PostgreSQL is away, frozen, killed, refused, or shared: no record is lost, and none is there twice.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { makeFolder } from '../../helpers/folder.ts';
import { nothingIsLeft } from '../../helpers/leftovers.ts';
import { postgresOrSkip, type PostgresServer } from '../../helpers/postgres_server.ts';
import { PROJECT } from '../../helpers/process.ts';
import { waitFor } from '../../helpers/wait_for.ts';
import { ended, recordOf, startShipThread, writtenSpool, type ShipThread, type WrittenSpool } from './ship_thread.ts';

const MIGRATIONS = readdirSync(join(PROJECT, 'worker/logs/migrations')).length;

/** Appends records with these numbers, some at a time, and tells of each. */
async function feed(spool: WrittenSpool, thread: ShipThread, from: number, to: number): Promise<void> {
  for (let number = from; number < to; number += 50) {
    await spool.write(Array.from({ length: Math.min(50, to - number) }, (_, index) => ended(recordOf(number + index))));
    thread.appended();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Waits until so many rows are there, of as many interactions, and nothing waits in the queue. */
async function allArrived(t: Test, postgres: PostgresServer, count: number): Promise<void> {
  await waitFor(`${count} rows`, async () => {
    const [row] = await postgres.query('SELECT count(*)::int AS rows, count(DISTINCT input_message)::int AS inputs FROM chat_logs').catch(() => []);
    return row?.rows === count && row.inputs === count;
  }, 60_000);
  await waitFor('an empty queue', async () => (await postgres.query('SELECT 1 FROM chat_logs_queue.job')).length === 0, 20_000);
  t.pass(`${count} records`);
}

t.test('a database that is away at the start is waited for', async (t) => {
  const postgres = await postgresOrSkip(t);
  if (postgres === null) return;
  await postgres.kill();
  const spool = await writtenSpool(await makeFolder(t));
  const thread = startShipThread(t, spool, { type: 'postgres', url: postgres.url });
  await feed(spool, thread, 0, 200);
  await waitFor('the word that it is away', () => thread.reason);
  t.equal(thread.reason, 'the connection was refused');
  t.equal(thread.shipped, 0);
  await postgres.start();
  await allArrived(t, postgres, 200);
  await waitFor('the word that it is there', () => thread.isConnected);
  await thread.close();
});

t.test('it is killed and comes back in the middle of shipping, again and again', async (t) => {
  const postgres = await postgresOrSkip(t);
  if (postgres === null) return;
  const spool = await writtenSpool(await makeFolder(t));
  const thread = startShipThread(t, spool, { type: 'postgres', url: postgres.url });
  await waitFor('the connection', () => thread.isConnected);
  for (let round = 0; round < 4; round += 1) {
    const fed = feed(spool, thread, round * 1000, (round + 1) * 1000);
    await waitFor('something that is shipped', () => thread.shipped > round * 1000, 20_000);
    await postgres.kill();
    await fed;
    await waitFor('the word that it is away', () => !thread.isConnected);
    t.ok(thread.shipped < (round + 1) * 1000, 'not all was shipped');
    await postgres.start();
    await waitFor('the rest', () => thread.shipped === (round + 1) * 1000, 30_000);
  }
  await allArrived(t, postgres, 4000);
  await thread.close();
});

t.test('it is frozen for longer than an answer is waited for, and goes on', async (t) => {
  const postgres = await postgresOrSkip(t);
  if (postgres === null) return;
  const spool = await writtenSpool(await makeFolder(t));
  const thread = startShipThread(t, spool, { type: 'postgres', url: postgres.url });
  await feed(spool, thread, 0, 100);
  await waitFor('the first ones', () => thread.shipped === 100, 20_000);
  postgres.freeze();
  await feed(spool, thread, 100, 1000);
  await waitFor('the word that it is away', () => !thread.isConnected, 30_000);
  t.match(thread.reason, /no answer in time|connection was lost/);
  postgres.resume();
  await allArrived(t, postgres, 1000);
  await thread.close();
});

t.test('connections that are cut one by one cost nothing', async (t) => {
  const postgres = await postgresOrSkip(t);
  if (postgres === null) return;
  const spool = await writtenSpool(await makeFolder(t));
  const thread = startShipThread(t, spool, { type: 'postgres', url: postgres.url });
  await waitFor('the connection', () => thread.isConnected);
  const fed = feed(spool, thread, 0, 3000);
  for (let round = 0; round < 8; round += 1) {
    await postgres.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE \'oai-agent-server%\'');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await fed;
  await allArrived(t, postgres, 3000);
  await thread.close();
});

t.test('the thread ends where it is, and the next one goes on from what was committed', async (t) => {
  const postgres = await postgresOrSkip(t);
  if (postgres === null) return;
  const spool = await writtenSpool(await makeFolder(t));
  for (let round = 0; round < 4; round += 1) {
    const thread = startShipThread(t, spool, { type: 'postgres', url: postgres.url });
    const before = thread.shipped;
    await feed(spool, thread, round * 500, (round + 1) * 500);
    await waitFor('something that is shipped', () => thread.shipped > before, 20_000);
    await thread.kill();
  }
  const last = startShipThread(t, spool, { type: 'postgres', url: postgres.url });
  last.appended();
  await allArrived(t, postgres, 2000);
  await last.close();
});

t.test('several servers that start at once make the tables once, and share the work', async (t) => {
  const postgres = await postgresOrSkip(t);
  if (postgres === null) return;
  const folder = await makeFolder(t);
  const spools = await Promise.all([0, 1, 2].map((number) => writtenSpool(`${folder}/${number}`)));
  const threads = spools.map((spool) => startShipThread(t, spool, { type: 'postgres', url: postgres.url }));
  await Promise.all(spools.map((spool, index) => feed(spool, threads[index] as ShipThread, index * 1000, (index + 1) * 1000)));
  await allArrived(t, postgres, 3000);
  t.equal((await postgres.query('SELECT version FROM chat_logs_migrations')).length, MIGRATIONS);
  t.strictSame(threads.flatMap(({ reports }) => reports.filter((report) => report.type === 'connected' && !report.connected)), []);
  await Promise.all(threads.map((thread) => thread.close()));
});

t.test('a database of a newer server is told and left as it is', async (t) => {
  const postgres = await postgresOrSkip(t);
  if (postgres === null) return;
  await postgres.query('CREATE TABLE chat_logs_migrations (version integer PRIMARY KEY, name text NOT NULL)');
  await postgres.query('INSERT INTO chat_logs_migrations (version, name) VALUES (99, \'of later\')');
  const spool = await writtenSpool(await makeFolder(t));
  const thread = startShipThread(t, spool, { type: 'postgres', url: postgres.url });
  await waitFor('the word', () => thread.reason);
  t.match(thread.reason, /of version 99, and this server knows them up to \d+/);
  const tables = await postgres.query('SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN (\'pg_catalog\', \'information_schema\')');
  t.strictSame(tables, [{ schemaname: 'public', tablename: 'chat_logs_migrations' }]);
  await thread.close(500);
});

t.test('what refuses the server is said without the password', async (t) => {
  const postgres = await postgresOrSkip(t);
  if (postgres === null) return;
  await postgres.query('CREATE DATABASE latin ENCODING LATIN1 TEMPLATE template0');
  await postgres.query('CREATE ROLE weak LOGIN PASSWORD \'hush-hush\'');
  const at = (change: (url: URL) => void): string => {
    const url = new URL(postgres.url);
    change(url);
    return url.href;
  };
  const cases: readonly (readonly [string, RegExp])[] = [
    [at((url) => (url.password = 'wrong-password')), /^the user or password was refused$/],
    [at((url) => (url.pathname = '/nowhere')), /^the database does not exist$/],
    [at((url) => (url.hostname = 'nowhere.invalid')), /^the host's name is not known$/],
    [at((url) => (url.pathname = '/latin')), /^its encoding is LATIN1, and must be UTF8$/],
    [at((url) => ((url.username = 'weak'), (url.password = 'hush-hush'))), /^the user lacks a privilege there: permission denied for \w+ \w+$/],
    [at((url) => (url.search = 'sslmode=require')), /^it does not speak TLS$/],
    [at((url) => (url.search = 'sslmode=verify-full&sslrootcert=/nowhere')), /^a file that is named does not exist$/],
  ];
  const spool = await writtenSpool(await makeFolder(t));
  for (const [url, reason] of cases) {
    const thread = startShipThread(t, spool, { type: 'postgres', url });
    await waitFor(`a reason like ${reason}`, () => thread.reason, 20_000);
    t.match(thread.reason, reason);
    t.notMatch(JSON.stringify(thread.reports), /wrong-password|hush-hush|open-sesame/);
    await thread.close(100);
  }
});

t.test('with sslmode=require the server\'s certificate is verified; no-verify is the way round that', async (t) => {
  const folder = await makeFolder(t);
  const words = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
  const made = spawnSync('openssl', [...words, '-keyout', join(folder, 'key'), '-out', join(folder, 'certificate')], { stdio: 'ignore' });
  if (made.status !== 0) {
    t.pass('NOT TESTED: there is no openssl on this machine', { skip: true });
    return;
  }
  const certificate = join(folder, 'certificate');
  const postgres = await postgresOrSkip(t, {
    settings: { ssl: 'on', ssl_cert_file: '../certificate', ssl_key_file: '../key' },
    files: { certificate: readFileSync(certificate, 'utf8'), key: readFileSync(join(folder, 'key'), 'utf8') },
  });
  if (postgres === null) return;
  const spool = await writtenSpool(folder);
  const refused = startShipThread(t, spool, { type: 'postgres', url: `${postgres.url}?sslmode=require` });
  await waitFor('a reason', () => refused.reason, 20_000);
  t.equal(refused.reason, 'the connection failed with DEPTH_ZERO_SELF_SIGNED_CERT');
  await refused.close(100);
  for (const query of [`sslmode=require&sslrootcert=${certificate}`, `sslmode=verify-full&sslrootcert=${certificate}`, 'sslmode=no-verify']) {
    const thread = startShipThread(t, spool, { type: 'postgres', url: `${postgres.url}?${query}` });
    await waitFor(`the connection with ${query}`, () => thread.isConnected, 20_000);
    const [{ ssl }] = await postgres.query(
      'SELECT bool_and(ssl) AS ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name LIKE \'oai-agent-server%\'',
    );
    t.ok(ssl, query);
    await thread.close();
  }
});

t.test('it ends in time while the database is frozen, and leaves what is not shipped to the next one', async (t) => {
  const postgres = await postgresOrSkip(t);
  if (postgres === null) return;
  const spool = await writtenSpool(await makeFolder(t));
  const thread = startShipThread(t, spool, { type: 'postgres', url: postgres.url });
  await waitFor('the connection', () => thread.isConnected);
  postgres.freeze();
  await feed(spool, thread, 0, 100);
  const closedAt = performance.now();
  await thread.close(300);
  t.ok(performance.now() - closedAt < 5000);
  postgres.resume();
  const next = startShipThread(t, spool, { type: 'postgres', url: postgres.url });
  next.appended();
  await allArrived(t, postgres, 100);
  await next.close();
  t.strictSame(JSON.parse(readFileSync(join(spool.directory, 'shipped.json'), 'utf8')), spool.end);
});

nothingIsLeft(t);
