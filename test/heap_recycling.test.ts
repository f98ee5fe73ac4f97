// A worker whose heap fills up is replaced before V8 ends it; one whose agent is just that big is not, and its owner is told what to do.
import t from 'tap';
import { chat, stream } from './helpers/http_client.ts';
import { nothingIsLeft } from './helpers/leftovers.ts';
import type { StartedServer } from './helpers/process.ts';
import { serve } from './helpers/serve.ts';
import { settledWorkers, statusOf } from './helpers/server_status.ts';
import { endOf } from './helpers/stream_end.ts';
import { waitFor } from './helpers/wait_for.ts';

/** The last quarter of it has to last for as long as a busy machine takes to start a worker. */
const CAP_MB = 64;
const args = ['--workers', '2', '--worker-heap-mb', String(CAP_MB)];

const heapsOf = async (server: StartedServer): Promise<number[]> => (await statusOf(server)).workers.map(({ heap_mb: mb }) => mb);
const replacementsIn = ({ output }: StartedServer): string[] => output.stderr.match(/worker \d+ is replaced: [^"]*/g) ?? [];

t.test('an agent that leaks: no interaction fails, and its memory comes back', async (t) => {
  const server = await serve(t, 'leaking', { args, env: { SIZE: '16' } });
  const before = await waitFor('two workers', () => settledWorkers(server, 2));
  const slow = await Promise.all(Array.from({ length: 4 }, () => stream(server.url, { message: 'slowly' })));
  const statuses: number[] = [];
  const heaps: number[] = [];
  const ask = async (): Promise<void> => {
    while (replacementsIn(server).length < 2) {
      statuses.push((await chat(server.url, { message: 'keep 1' })).status);
      if (statuses.length % 10 === 0) heaps.push(...(await heapsOf(server)));
    }
  };
  await Promise.all(Array.from({ length: 2 }, ask));
  t.ok(statuses.length > 100, `${statuses.length} interactions`);
  t.strictSame(new Set(statuses), new Set([200]));
  t.strictSame((await Promise.all(slow.map(({ ended }) => ended))).map(endOf), Array(4).fill('output'));
  const after = await waitFor('two workers', () => settledWorkers(server, 2));
  t.ok(Math.max(...after) > 3, `${after.join()} instead of ${before.join()}`);
  t.match(replacementsIn(server)[0], /^worker \d+ is replaced: collected, it still takes \S+ of the 64 MB that a worker's heap may have\. .* --worker-heap-mb$/);
  t.strictSame(server.output.stderr.match(/worker \d+ is lost: [^"]*/g), null);
  const [most, now] = [Math.max(...heaps), await heapsOf(server)];
  t.ok(Math.min(...now) < 0.75 * most, `${now.join()} MB after ${most}`);
  await server.stop();
});

t.test('an agent that is as big as that from the start is left alone, and its owner is told once', async (t) => {
  const server = await serve(t, 'leaking', { args, env: { SIZE: '35' } });
  const before = await waitFor('two workers', () => settledWorkers(server, 2));
  const warnings = () => server.output.stderr.match(/the agent alone takes \S+ of the 64 MB that a worker's heap may have: give it more with --worker-heap-mb/g) ?? [];
  await waitFor('the warning', () => warnings().length > 0);
  for (let i = 0; i < 50; i += 1) t.equal((await chat(server.url, { message: 'hello' })).status, 200);
  t.strictSame([warnings().length, replacementsIn(server)], [1, []]);
  t.strictSame(await waitFor('two workers', () => settledWorkers(server, 2)), before);
  await server.stop();
});

nothingIsLeft(t);
