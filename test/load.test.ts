// A thousand streams at once: all whole, and nothing of them stays in the process when they are over.
import t, { type Test } from 'tap';
import { messagesOf, parseEventStream } from './helpers/event_stream.ts';
import { stream } from './helpers/http_client.ts';
import type { ModelServer } from './helpers/model_server.ts';
import type { StartedServer } from './helpers/process.ts';
import { directed, endsCleanly, serveModel } from './helpers/serve.ts';
import { figuresOf, statusOf, type ProcessFigures } from './helpers/server_status.ts';
import { endOf } from './helpers/stream_end.ts';
import { waitFor } from './helpers/wait_for.ts';

const STREAMS = 1000;
const WORDS = Array.from({ length: 20 }, (_, i) => `word${i + 1}`).join(' ');
const MOST_MB = 60;

const server = await serveModel(t, 'patient', {
  args: ['--workers', '2', '--concurrency', '512', '--worker-heap-mb', '96'],
  // Neither what is kept for readers that come back, nor garbage that V8 has room for, shall count as memory that was not given back.
  env: { RESUME_MEMORY_MB: '1', NODE_OPTIONS: '--max-old-space-size=96 --max-semi-space-size=2' },
});

t.test('a thousand streams at once are whole, and nothing of them stays', async (t) => {
  // The first ones make the process as large as such a load wants it; what is measured is what the second ones leave.
  await streamAll(server, STREAMS, { words: 2 });
  const before = await figuresOf(server);
  const began = performance.now();
  const streams = streamAll(server, STREAMS, { words: 20, delayMs: 250 });
  await waitFor('all of them at once', async () => (await statusOf(server)).active_requests === STREAMS, 20_000);
  const openMs = Math.round(performance.now() - began);
  const texts = await streams;
  const overMs = Math.round(performance.now() - began);
  t.strictSame(new Set(texts.map(endOf)), new Set(['output']), `all were open after ${openMs} ms, over after ${overMs} ms`);
  t.strictSame(new Set(texts.map((text) => messagesOf(parseEventStream(text).events).join())), new Set([WORDS]));
  await givesBack(t, server, before);
});

async function streamAll({ url }: StartedServer, count: number, step: object): Promise<string[]> {
  const message = directed(step);
  return Promise.all(Array.from({ length: count }, async () => (await stream(url, { message })).ended));
}

async function givesBack(t: Test, server: StartedServer & { model: ModelServer }, before: ProcessFigures): Promise<void> {
  const { active_requests, queued_requests } = await statusOf(server);
  t.equal(active_requests + queued_requests, 0);
  await waitFor('the end of the connections to the model', async () => (await server.model.connections()) === 0);
  const after = await waitFor('its files and threads to be as before', async () => {
    const now = await figuresOf(server);
    return now.files <= before.files && now.threads <= before.threads ? now : null;
  });
  const growthMb = Math.round(after.residentMb - before.residentMb);
  t.ok(growthMb < MOST_MB, `${after.files} files, ${after.threads} threads, ${growthMb} MB more`);
}

endsCleanly(t, server);
