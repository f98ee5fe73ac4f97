// Agents that do what no agent should: each harms its own interaction only, and once.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { chat, send } from './helpers/http_client.ts';
import { endsCleanly, serve } from './helpers/serve.ts';

const folder = await mkdtemp(join(tmpdir(), 'odd-'));
const ran = join(folder, 'ran');
const server = await serve(t, 'odd', { args: ['--workers', '1'], env: { STUCK_TIMEOUT_SECONDS: '2', RAN_FILE: ran } });

t.test('whatever is thrown, the interaction has its end', async (t) => {
  for (const message of ['throw no object of a class', 'throw its own cause', 'throw that late']) {
    const [odd, neighbour] = await Promise.all([chat(server.url, { message }), chat(server.url, { message: 'wait' })]);
    t.equal(odd.status, 500, message);
    t.match(odd.json, { code: 'AGENT_FAILED' }, message);
    t.match(neighbour.json, { response: 'whole' }, message);
  }
});

t.test('what an ended interaction still writes into its environment is seen by no other', async (t) => {
  t.match((await chat(server.url, { message: 'write late', env: { GITHUB_TOKEN: 'secret' } })).json, { response: 'later' });
  // The timer of the ended interaction has run by then: the worker's own timers are in order.
  t.match((await chat(server.url, { message: 'wait' })).json, { response: 'whole' });
  t.match((await chat(server.url, { message: 'look' })).json, { response: JSON.stringify({ left: null, home: true }) });
});

t.test('an interaction that had begun is not run again, though its thread never said so', async (t) => {
  const answer = await chat(server.url, { message: 'loop at once' });
  t.match(answer.json, { code: 'WORKER_STUCK' });
  t.equal(await readFile(ran, 'utf8'), 'ran\n');
  t.match((await chat(server.url, { message: 'wait' })).json, { response: 'whole' });
});

t.test('a body with a great many faults is answered shortly', async (t) => {
  const env = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [i, '']));
  const answer = await chat(server.url, { message: 'x', env });
  t.equal(answer.status, 422);
  t.equal((answer.json as { errors: unknown[] }).errors.length, 20);
  t.equal((await chat(server.url, { message: { ...env, more: 'y'.repeat(500_000) } })).status, 413);
  t.equal((await send(server.url, '/health')).status, 200);
});

t.teardown(() => rm(folder, { recursive: true, force: true }));
endsCleanly(t, server);
