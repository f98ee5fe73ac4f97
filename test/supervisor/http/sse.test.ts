// Event streams to readers of every speed.
import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { messagesOf, parseEventStream } from '../../helpers/event_stream.ts';
import { chat, resume, send } from '../../helpers/http_client.ts';
import { head } from '../../helpers/raw_socket.ts';
import { endsCleanly, serve } from '../../helpers/serve.ts';
import { waitFor } from '../../helpers/wait_for.ts';

const server = await serve(t, 'puppet', { env: { CHAT_IDLE_TIMEOUT_SECONDS: '0.5' } });
const { url } = server;

/** Asks for a stream on a connection that takes nothing before `read`, which returns its body, out of its chunks. */
function unread(message: string) {
  const interaction_id = randomUUID();
  const body = JSON.stringify({ message, interaction_id });
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).pause();
  socket.write(head('POST /chat/stream HTTP/1.1', 'Content-Type: application/json', `Content-Length: ${body.length}`) + body);
  return { id: interaction_id, read: async () => unchunked(await text(socket.resume())) };
}

/** The messages here are ASCII: a size in bytes is one in characters. */
function unchunked(response: string): string {
  let body = '';
  let at = response.indexOf('\r\n\r\n') + 4;
  for (;;) {
    const size = Number.parseInt(response.slice(at, at + 10), 16);
    if (Number.isNaN(size)) throw new Error(`the connection was cut after ${body.length} characters`);
    if (size === 0) return body;
    at = response.indexOf('\r\n', at) + 2;
    body += response.slice(at, at + size);
    at += size + 2;
  }
}

t.test('a slow reader misses nothing, and its slowness is not the agent\'s silence', async (t) => {
  // Larger than what the kernel takes on its way, so that the worker has to wait.
  const slow = unread('pieces 8000');
  const state = async () => (await send(url, `/chat/${slow.id}`)).json['status'];
  await waitFor('it to run', async () => (await state()) === 'running');
  const startedAt = performance.now();
  await waitFor('longer than the idle timeout', () => performance.now() - startedAt > 1_000);
  t.equal(await state(), 'running');
  t.match(await chat(url, { message: 'say quick' }), { status: 200, json: { response: 'quick' } }, 'the others are not held up');
  const { events, done } = parseEventStream(await slow.read());
  t.ok(done);
  t.ok(events.every(({ id }, index) => id === index + 1));
  t.equal(events.at(-1)?.content.type, 'output');
  t.ok(messagesOf(events)[0] === events.at(-1)?.content.content, 'the pieces are the output');
});

/** How many pieces are made for a reader that takes none, before the worker has to wait. */
async function piecesUntilFull(): Promise<number> {
  const { id, read } = unread('hold start\npieces 8000');
  const follower = await waitFor('it to begin', async () => {
    const opened = await resume(url, id);
    return opened.status === 200 && opened;
  });
  await chat(url, { message: 'release start' });
  let length = -1;
  let since = performance.now();
  await waitFor('the worker to wait', () => {
    if (follower.text.length !== length) since = performance.now();
    length = follower.text.length;
    return length > 0 && performance.now() - since > 200;
  });
  const made = follower.events.length;
  follower.close();
  await read();
  return made;
}

t.test('the terminal event, however large, does not push away what a slow reader has not taken', async (t) => {
  const made = await piecesUntilFull();
  // So that all is made, while the last of it still waits for the reader.
  for (const pieces of [100, 80, 60, 40, 20].map((fewer) => made - fewer)) {
    const { id, read } = unread(`pieces ${pieces}`);
    const startedAt = performance.now();
    const isOver = async () => (await send(url, `/chat/${id}`)).json['status'] === 'success';
    await waitFor('the end, or a full connection', async () => (await isOver()) || performance.now() - startedAt > 500);
    const { events, done } = parseEventStream(await read());
    t.ok(done);
    t.equal(messagesOf(events)[0]?.length, pieces * 1024);
  }
});

endsCleanly(t, server);
