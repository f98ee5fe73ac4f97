// Reloads in the middle of everything, counted by clients that never ask twice: nothing is refused, cut, mixed or left out.
import t from 'tap';
import { startCountedLoad } from './helpers/counted_load.ts';
import { send } from './helpers/http_client.ts';
import type { StartedServer } from './helpers/process.ts';
import { serveReleases, versioned } from './helpers/releases.ts';
import { figuresOf, settledWorkers, type ProcessFigures } from './helpers/server_status.ts';
import { waitFor } from './helpers/wait_for.ts';

/** ROUNDS=100 is the long run, with 200 streams. */
const ROUNDS = Number(process.env['ROUNDS'] ?? 15);
/** So many of them come first: they grow the pools of the process. */
const FIRST = Math.min(10, ROUNDS - 1);
const STREAMS = Number(process.env['STREAMS'] ?? (ROUNDS < 100 ? 50 : 200));
const LOAD = { streams: STREAMS, keptAlive: 50, fresh: 50, pieceMs: 20 };

t.test(`${ROUNDS} times SIGHUP under load`, { timeout: 60_000 + ROUNDS * 5000 }, async (t) => {
  // What is kept for readers that come back fills up anyway, and hides what a reload leaves behind.
  const releases = await serveReleases(t, { env: { RESUME_MEMORY_MB: '1', LOG_LEVEL: 'warn' } });
  const { server, put } = releases;
  const generationOf = async (): Promise<unknown> => (await send(server.url, '/agent/info')).json['generation'];
  const versions = new Set<string>();
  let round = 1;
  /** Reloads under load, until so many reloads are done. @returns what the process then has, with nothing to do */
  const reload = async (until: number): Promise<ProcessFigures> => {
    const load = startCountedLoad(server.url, LOAD, 50);
    await waitFor('the first answers', () => load.tally.answers.size > 0);
    while (round <= until) {
      round += 1;
      await put(versioned(`v${round}`));
      server.process.kill('SIGHUP');
      await waitFor(`generation ${round}`, async () => (await generationOf()) === round, 30_000);
      await waitFor(`an answer of version ${round}`, () => load.tally.answers.has(`v${round}`), 30_000);
    }
    const whole = await load.stop();
    const { failures, slowestMs, answers } = load.tally;
    t.strictSame(failures.slice(0, 5), [], `${whole} answers, ${failures.length} failed, slowest ${Math.round(slowestMs)} ms`);
    for (const version of answers.keys()) versions.add(version);
    return idleFigures(server);
  };
  const before = await reload(FIRST);
  const after = await reload(ROUNDS);
  t.equal(versions.size, ROUNDS + 1, 'every version answered');
  t.equal(after.threads, before.threads, 'threads');
  t.ok(after.files <= before.files + 3, `descriptors ${before.files} → ${after.files}`);
  // V8 gives memory back when it likes.
  t.ok(after.residentMb < before.residentMb * 1.2 + 30, `memory ${Math.round(before.residentMb)} → ${Math.round(after.residentMb)} MB`);
});

/** Of a process that has ended what it had, connections and the threads of old generations included. */
async function idleFigures(server: StartedServer): Promise<ProcessFigures> {
  await waitFor('the old generations to end', () => settledWorkers(server, 2), 30_000);
  let last = await figuresOf(server);
  let since = performance.now();
  await waitFor('threads and descriptors to stay as they are', async () => {
    const now = await figuresOf(server);
    if (now.threads !== last.threads || now.files !== last.files) since = performance.now();
    last = now;
    return performance.now() - since > 1500;
  }, 30_000);
  return last;
}
