// A stop: nothing that runs is dropped before the drain's deadline, and nobody is left without an end.
import { Agent, request } from 'node:http';
import { json } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { parseEventStream } from '../helpers/event_stream.ts';
import { chat, send, stream } from '../helpers/http_client.ts';
import type { StartedServer } from '../helpers/process.ts';
import { serve } from '../helpers/serve.ts';
import { nothingIsLeft } from '../helpers/leftovers.ts';
import { waitFor } from '../helpers/wait_for.ts';

/** One connection that is kept, as a balancer's. */
function keptConnection(t: Test, url: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  return (path: string, body?: unknown) =>
    new Promise<{ status: number; connection: string | undefined; body: unknown }>((resolve, reject) => {
      const headers = { 'content-type': 'application/json' };
      const sent = request(`${url}${path}`, { agent, headers, method: body === undefined ? 'GET' : 'POST' }, async (response) => {
        resolve({ status: response.statusCode ?? 0, connection: response.headers.connection, body: await json(response) });
      });
      sent.on('error', reject).end(body === undefined ? undefined : JSON.stringify(body));
    });
}

const isDraining = ({ output }: StartedServer) => waitFor('the stop to begin', () => output.stderr.includes('"phase":"draining"'));

t.test('on TERM what runs and what waits may finish, and open connections are told', async (t) => {
  const server = await serve(t, 'puppet', { env: { KEEP_ALIVE_SECONDS: '5' } });
  const { url } = server;
  const kept = keptConnection(t, url);
  const second = keptConnection(t, url);
  t.match(await kept('/ready'), { status: 200, connection: 'keep-alive', body: { status: 'ready' } });
  t.match(await second('/health'), { status: 200, connection: 'keep-alive' });
  const streamed = await stream(url, { message: 'say a\nhold stop\nsay b', session_id: 'one' });
  await streamed.until('text');
  const waiting = chat(url, { message: 'say c', session_id: 'one' });
  await waitFor('it to wait', async () => ((await kept('/status')).body as { queued_requests: number }).queued_requests === 1);

  server.process.kill('SIGTERM');
  await isDraining(server);
  await t.rejects(chat(url, { message: 'hi' }), 'no new connection');
  t.match(await kept('/ready'), { status: 503, connection: 'close', body: { status: 'draining', checks: { workers: 'ok' } } });
  t.match(await second('/chat', { message: 'release stop' }), { status: 200, connection: 'close' });
  const { events, done } = parseEventStream(await streamed.ended);
  t.equal(events.at(-1)?.content.content, 'ab');
  t.ok(done);
  t.match(await waiting, { status: 200, json: { response: 'c' } });
  t.strictSame(await server.exited, { code: 0, signal: null });
});

t.test('at the drain\'s deadline each that still runs is told shutting_down', async (t) => {
  const server = await serve(t, 'puppet', { env: { DRAIN_TIMEOUT_SECONDS: '0.3' } });
  const streamed = await stream(server.url, { message: 'say a\nhang' });
  await streamed.until('text');
  const deaf = await stream(server.url, { message: 'say a\ndeaf' });
  await deaf.until('text');
  const asked = chat(server.url, { message: 'hang' });
  await waitFor('all three to run', async () => (await send(server.url, '/status')).json['active_requests'] === 3);
  const began = performance.now();
  server.process.kill('SIGTERM');
  for (const { ended } of [streamed, deaf]) {
    const { events, done } = parseEventStream(await ended);
    t.match(events.at(-1)?.content, { type: 'error', error: { code: 'shutting_down', message: 'The server is shutting down.' } });
    t.ok(done);
  }
  t.match(await asked, { status: 503, json: { code: 'SHUTTING_DOWN' }, headers: { 'retry-after': /^\d+$/ } });
  t.strictSame(await server.exited, { code: 0, signal: null });
  t.ok(performance.now() - began < 3000);
});

t.test('DRAIN_TIMEOUT_SECONDS=0 waits for nobody, and still tells everybody', async (t) => {
  const server = await serve(t, 'puppet', { env: { DRAIN_TIMEOUT_SECONDS: '0' } });
  const streamed = await stream(server.url, { message: 'say a\nhang' });
  await streamed.until('text');
  server.process.kill('SIGTERM');
  t.match(parseEventStream(await streamed.ended).events.at(-1)?.content, { error: { code: 'shutting_down' } });
  t.strictSame(await server.exited, { code: 0, signal: null });
});

nothingIsLeft(t);
