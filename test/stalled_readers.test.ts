// Readers that stop reading: they cost the supervisor little, disturb nobody, and miss nothing when they read on.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { messagesOf, parseEventStream } from './helpers/event_stream.ts';
import { chat, send } from './helpers/http_client.ts';
import { endsCleanly, serve } from './helpers/serve.ts';
import { figuresOf } from './helpers/server_status.ts';
import { endOf } from './helpers/stream_end.ts';
import { waitFor } from './helpers/wait_for.ts';

const READERS = 20;
const KILOBYTES = 8000;
/** Of the supervisor's own heap and buffers, garbage included: a quarter of an answer. */
const MOST_SUPERVISOR_MB = 2;
/** Of the whole process, the answers themselves included, which the workers keep for their sessions: what the kernel took of each is megabytes. */
const MOST_MB = 6;

const server = await serve(t, 'puppet', {
  args: ['--workers', '2'],
  // The cap holds for each worker too, which has ten answers of 8 MB to keep; the supervisor would not live with all twenty.
  env: { RESUME_MEMORY_MB: '1', NODE_OPTIONS: '--max-old-space-size=160 --max-semi-space-size=2' },
});
const { url } = server;

interface Stalled {
  readonly id: string;
  /** Nothing has been read of it but its head. */
  readonly response: IncomingMessage;
}

async function stall(): Promise<Stalled> {
  const id = randomUUID();
  const sent = request(`${url}/chat/stream`, { method: 'POST', agent: false, headers: { 'content-type': 'application/json' } });
  sent.end(JSON.stringify({ message: `pieces ${KILOBYTES}`, interaction_id: id }));
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return { id, response };
}

/** Resolves when the process has not grown for a while: all is made that will be, before the readers read on. */
async function settledMb(): Promise<number> {
  let mostMb = 0;
  let since = performance.now();
  return waitFor('the process to stop growing', async () => {
    const { residentMb } = await figuresOf(server);
    if (residentMb > mostMb + 0.5) since = performance.now();
    mostMb = Math.max(mostMb, residentMb);
    return performance.now() - since > 500 ? residentMb : null;
  });
}

/** What the main thread has allocated, garbage included. */
async function supervisorMb(): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  const bytes = ['nodejs_heap_size_used_bytes', 'nodejs_external_memory_bytes'].map((name) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics)?.[1]));
  return bytes.reduce((sum, each) => sum + each, 0) / 1024 / 1024;
}

t.test('readers that stop reading cost the supervisor little, disturb nobody and miss nothing', async (t) => {
  // A short answer each, so that the heaps are as large as so many connections want them.
  await Promise.all(Array.from({ length: READERS }, () => chat(url, { message: 'pieces 500' })));
  const beforeMb = await settledMb();
  const supervisorBeforeMb = await supervisorMb();
  const readers = await Promise.all(Array.from({ length: READERS }, stall));
  const eachMb = ((await settledMb()) - beforeMb) / READERS;
  t.ok(eachMb < MOST_MB, `${eachMb.toFixed(1)} MB each`);
  const supervisorEachMb = ((await supervisorMb()) - supervisorBeforeMb) / READERS;
  t.ok(supervisorEachMb < MOST_SUPERVISOR_MB, `${supervisorEachMb.toFixed(2)} MB each of the supervisor's`);
  const states = await Promise.all(readers.map(async ({ id }) => (await send(url, `/chat/${id}`)).json['status']));
  t.strictSame(new Set(states), new Set(['running']), 'each is held up');

  const began = performance.now();
  const others = await Promise.all(Array.from({ length: 50 }, () => chat(url, { message: 'say quick' })));
  t.strictSame(new Set(others.map(({ json }) => json['response'])), new Set(['quick']));
  t.ok(performance.now() - began < 2000, `fifty others took ${Math.round(performance.now() - began)} ms`);

  for (const { response } of readers.slice(5)) response.destroy();
  for (const { response } of readers.slice(0, 5)) {
    const events = await text(response);
    t.equal(endOf(events), 'output');
    t.equal(messagesOf(parseEventStream(events).events)[0]?.length, KILOBYTES * 1024);
  }
});

endsCleanly(t, server);
