// Two servers of one agent that log into one PostgreSQL: its tables are made once, no record is lost or doubled, and either shows the rows of both.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import t from 'tap';
import { send } from './helpers/http_client.ts';
import { nothingIsLeft } from './helpers/leftovers.ts';
import { followOnce, nothingSeen, startLoad, type Seen } from './helpers/logged_load.ts';
import { connected, databaseOf, rowOf, serveLogging, settledRows, type LoggedEnd, type LoggingServer } from './helpers/logging_server.ts';
import { postgresOrSkip, type PostgresServer } from './helpers/postgres_server.ts';
import { PROJECT } from './helpers/process.ts';
import { waitFor } from './helpers/wait_for.ts';

const ASKERS = 6;
const PAUSE_MS = 10;
/** Interactions that run when their server is killed. */
const HANGING = 4;
const VERSIONS = readdirSync(join(PROJECT, 'worker/logs/migrations')).map((name) => Number.parseInt(name, 10)).toSorted((a, b) => a - b);

/** What both begin with, and what they make next, as statements that keep others from the same until they are undone. */
const BLOCKS = ['CREATE TABLE chat_logs_migrations (version integer)', 'CREATE SCHEMA chat_logs_queue'];

/** Begun at the same moment, each with a data directory of its own. */
async function serveTwo(t: Parameters<typeof serveLogging>[0], postgres: PostgresServer): Promise<readonly [LoggingServer, LoggingServer]> {
  const database = databaseOf(postgres);
  return Promise.all([serveLogging(t, 'puppet', database), serveLogging(t, 'puppet', database)]);
}

for (const block of BLOCKS) {
  t.test(`two servers that come to the same point of an empty database at once: ${block}`, async (t) => {
    const postgres = await postgresOrSkip(t);
    if (postgres === null) return;
    const client = new pg.Client({ connectionString: postgres.url });
    client.on('error', () => undefined);
    await client.connect();
    t.teardown(() => client.end());
    await client.query(`BEGIN; ${block}`);
    const two = await serveTwo(t, postgres);
    await waitFor('both to wait', async () => {
      const [{ count }] = await postgres.query("SELECT count(*)::int AS count FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
      return count === 2;
    });
    await client.query('ROLLBACK');
    await Promise.all(two.map(connected));
    const applied = await postgres.query('SELECT version FROM chat_logs_migrations ORDER BY version');
    t.strictSame(applied.map(({ version }) => version), VERSIONS, 'each migration is applied once');
    t.equal((await postgres.query('SELECT version FROM chat_logs_queue.version')).length, 1);
    for (const server of two) {
      t.notMatch(server.output.stdout + server.output.stderr, 'does not answer', 'neither was in the other\'s way');
      t.strictSame(await server.end('SIGTERM'), { code: 0, signal: null });
    }
  });
}

t.test('both under load, and one killed and started again', { timeout: 90_000 }, async (t) => {
  const postgres = await postgresOrSkip(t);
  if (postgres === null) return;
  const two = await serveTwo(t, postgres);
  await Promise.all(two.map(connected));
  const [staying, killed] = two;
  const [stayed, cut] = [nothingSeen(), nothingSeen()];
  const load = startLoad(staying.url, ASKERS, stayed, PAUSE_MS);
  const doomed = startLoad(killed.url, ASKERS, cut, PAUSE_MS);
  t.teardown(() => Promise.all([load.stop(), doomed.stop()]));
  const hanging = Array.from({ length: HANGING }, () => followOnce(killed.url, 'say a\nhang', 'success', cut).catch(() => false));
  await waitFor('answers of both', () => stayed.ended.size >= 100 && cut.ended.size >= 100 && cut.started.size >= HANGING, 30_000);
  await killed.end('SIGKILL');
  await Promise.all([doomed.stop(), ...hanging]);
  const [ofCut = ''] = cut.ended.keys();
  t.match(await rowOf(staying, ofCut), { interaction_id: ofCut, agent_name: 'puppet' }, 'the other one shows what it has logged');

  const next = await serveLogging(t, 'puppet', databaseOf(postgres), { dataDir: killed.dataDir });
  const again = startLoad(next.url, ASKERS, cut, PAUSE_MS);
  t.teardown(() => again.stop());
  const [before, beforeToo] = [stayed.ended.size, cut.ended.size];
  await waitFor('further answers of both', () => stayed.ended.size >= before + 100 && cut.ended.size >= beforeToo + 100, 30_000);
  await Promise.all([load.stop(), again.stop()]);
  t.strictSame([stayed.unanswered, stayed.refused], [[], []], 'the one that stayed has answered every chat');
  await settledRows(next, postgres);
  const rows = await settledRows(staying, postgres);

  const byId = new Map(rows.map((row) => [row.interaction_id, row]));
  const seen = [stayed, cut];
  t.equal(byId.size, rows.length, 'no interaction has two rows');
  t.strictSame(seen.flatMap((each) => wrong(byId, each)), [], 'each has its row, with the end that its client was told');
  const interrupted = [...cut.started].filter((id) => !cut.ended.has(id)).map((id) => byId.get(id)?.status);
  t.ok(interrupted.filter((status) => status === 'interrupted').length >= HANGING, 'what ran was interrupted');
  const unseen = rows.filter(({ interaction_id: id }) => !seen.some(({ ended, started }) => ended.has(id) || started.has(id)));
  t.ok(unseen.length <= ASKERS, `beside those only ${unseen.length}, whose askers were cut off`);
  for (const server of [staying, next]) {
    t.equal((await send(server.url, '/logs?limit=1')).json['total'], rows.length, 'either shows the rows of both');
    for (const { ended } of seen) {
      const id = [...ended.keys()].at(-1) ?? '';
      t.equal((await rowOf(server, id))['status'], ended.get(id));
    }
    t.strictSame(await server.end('SIGTERM'), { code: 0, signal: null });
  }
  t.comment(`${rows.length} rows: ${stayed.ended.size} of the one that stayed, ${interrupted.length + unseen.length} cut off with the other`);
});

/** Of those that were seen to end, the statuses that differ from their rows'. */
function wrong(rows: ReadonlyMap<string, LoggedEnd>, { ended }: Seen): readonly unknown[] {
  return [...ended].flatMap(([id, status]) => (rows.get(id)?.status === status ? [] : [[id, status, rows.get(id)?.status]]));
}

nothingIsLeft(t);
