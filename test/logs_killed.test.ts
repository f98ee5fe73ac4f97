// A server that is killed at any moment: whatever its clients have seen of an interaction is in the log after its next start, once.
// ROUNDS: how often it is killed with each database; 3 where it is not set.
import t, { type Test } from 'tap';
import { randomUUID } from 'node:crypto';
import { stream } from './helpers/http_client.ts';
import { nothingIsLeft } from './helpers/leftovers.ts';
import { nothingSeen, startLoad, type Seen } from './helpers/logged_load.ts';
import { connected, eachDatabase, serveLogging, type LogDatabase } from './helpers/logging_server.ts';
import { makeFolder } from './helpers/folder.ts';
import { waitFor } from './helpers/wait_for.ts';

const ROUNDS = Number(process.env['ROUNDS'] ?? 3);
const ASKERS = 12;
/** Interactions that run when the server is killed. */
const HANGING = 6;
const EARLIEST_MS = 100;
const LATEST_MS = 900;

t.test('killed under load', { timeout: 60_000 + ROUNDS * 30_000 }, (t) => eachDatabase(t, async (t, database) => {
  const dataDir = await makeFolder(t);
  const seen = nothingSeen();
  /** Of what never ends by itself. */
  const hung = new Set<string>();
  for (let round = 0; round < ROUNDS; round += 1) {
    const server = await serveLogging(t, 'puppet', database, { dataDir });
    const load = startLoad(server.url, ASKERS, seen);
    const hanging = await Promise.all(Array.from({ length: HANGING }, async () => {
      const opened = await stream(server.url, { message: 'say a\nhang', interaction_id: randomUUID() });
      hung.add(String((await opened.until('start')).interaction_id));
      return opened;
    }));
    const afterMs = EARLIEST_MS + Math.random() * (LATEST_MS - EARLIEST_MS);
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    await server.end('SIGKILL');
    await Promise.all([load.stop(), ...hanging.map(({ ended }) => ended)]);
    t.comment(`round ${round + 1}, after ${Math.round(afterMs)} ms: ${seen.ended.size} seen to end, ${seen.started.size} streams to start`);
  }
  const last = await serveLogging(t, 'puppet', database, { dataDir });
  await connected(last);
  await isComplete(t, database, dataDir, seen);
  const ends = async () => (await database.rows(dataDir)).filter(({ interaction_id: id }) => hung.has(id)).map(({ status }) => status);
  await waitFor('a row of each', async () => (await ends()).length >= hung.size, 20_000).catch(() => undefined);
  t.strictSame(await ends(), Array(HANGING * ROUNDS).fill('interrupted'), 'each that was running was interrupted');
  t.strictSame(await last.end('SIGTERM'), { code: 0, signal: null });
}));

async function isComplete(t: Test, database: LogDatabase, dataDir: string, seen: Seen): Promise<void> {
  const all = new Set([...seen.ended.keys(), ...seen.started]);
  const byId = async () => Map.groupBy(await database.rows(dataDir), (row) => row.interaction_id);
  const missing = async (): Promise<number> => {
    const rows = await byId();
    return [...all].filter((id) => !rows.has(id)).length;
  };
  await waitFor('every interaction that was seen', async () => (await missing()) === 0, 20_000).catch(() => undefined);
  const rows = await byId();
  t.equal(await missing(), 0, `a row for each of ${all.size}`);
  t.equal([...rows.values()].filter((each) => each.length > 1).length, 0, 'none is there twice');
  const wrong = [...seen.ended].filter(([id, status]) => rows.get(id)?.[0]?.status !== status);
  t.strictSame(wrong.map(([id, status]) => [status, rows.get(id)?.[0]?.status]), [], 'with the end that its client was told');
  const unended = [...seen.started].filter((id) => !seen.ended.has(id)).map((id) => rows.get(id)?.[0]?.status);
  t.comment(`${rows.size} rows; of ${unended.length} begun and not seen to end ${unended.filter((status) => status === 'interrupted').length} interrupted`);
}

nothingIsLeft(t);
