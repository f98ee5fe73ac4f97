// Answers that come before the request is over: every client gets to read them, and none can hold its connection.
import { request } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { Agent as UndiciAgent, request as undiciRequest } from 'undici';
import { AppError } from '../../../shared/errors.ts';
import { answerWith } from '../../helpers/answering_server.ts';
import { nothingIsLeft } from '../../helpers/leftovers.ts';
import { waitFor } from '../../helpers/wait_for.ts';

const MB = 1024 * 1024;
const SIZE = 64 * MB;

async function* zeros(bytes: number): AsyncGenerator<Buffer> {
  const piece = Buffer.alloc(64 * 1024);
  for (let sent = 0; sent < bytes; sent += piece.length) yield piece;
}

/** Refuses at once, without reading anything. */
const refuseAll = (t: Parameters<typeof answerWith>[0]) =>
  answerWith(t, async () => {
    throw new AppError('PAYLOAD_TOO_LARGE');
  });

t.test('a client that sends a large body reads its answer, however it sends', async (t) => {
  const url = await refuseAll(t);
  const refused = { status: 413, body: /"code":"PAYLOAD_TOO_LARGE"/ };
  for (let round = 0; round < 5; round += 1) {
    const whole = await fetch(url, { method: 'POST', body: Buffer.alloc(SIZE) });
    t.match({ status: whole.status, body: await whole.text() }, refused, 'fetch, all at once');
    const streamed = await fetch(url, { method: 'POST', body: Readable.toWeb(Readable.from(zeros(SIZE))) as ReadableStream, duplex: 'half' } as RequestInit);
    t.match({ status: streamed.status, body: await streamed.text() }, refused, 'fetch, piece by piece');
    const dispatcher = new UndiciAgent();
    const { statusCode, body } = await undiciRequest(url, { method: 'POST', body: Readable.from(zeros(SIZE)), dispatcher });
    t.match({ status: statusCode, body: await body.text() }, refused, 'undici');
    await dispatcher.close();
    t.match(await post(url, SIZE), refused, 'node:http');
  }
});

function post(url: string, bytes: number): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const sending = request(url, { method: 'POST', agent: false }, async (response) => resolve({ status: response.statusCode, body: await text(response) }));
    // The connection may end while it still sends: an answer that came before that counts.
    sending.on('error', reject);
    Readable.from(zeros(bytes)).pipe(sending);
  });
}

t.test('a client that writes all before it reads anything comes to its end, if that is not far', async (t) => {
  const url = new URL(await refuseAll(t));
  const socket = connect(Number(url.port), url.hostname);
  t.teardown(() => socket.destroy());
  socket.pause();
  socket.on('error', () => undefined);
  const size = 12 * MB;
  socket.write(`POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${size}\r\n\r\n`);
  const written = Promise.withResolvers<Error | null | undefined>();
  socket.write(Buffer.alloc(size), written.resolve);
  t.equal((await written.promise) ?? null, null);
  t.match(await text(socket), /^HTTP\/1\.1 413 .*"code":"PAYLOAD_TOO_LARGE"/s);
});

t.test('one that goes on and on is read no further than a bound, and closed', async (t) => {
  const url = new URL(await refuseAll(t));
  const socket = connect(Number(url.port), url.hostname);
  let closed = false;
  let answer = '';
  socket.on('error', () => undefined).once('close', () => (closed = true));
  socket.setEncoding('utf8').on('data', (piece: string) => (answer += piece));
  // Our end stays open after theirs is closed.
  socket.allowHalfOpen = true;
  socket.write('POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n');
  const piece = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(0x1_00_00), Buffer.from('\r\n')]);
  const send = (): void => {
    while (!closed && socket.writable && socket.write(piece));
  };
  socket.on('drain', send);
  send();
  await waitFor('the connection to be closed', () => closed, 20_000);
  t.match(answer, '"code":"PAYLOAD_TOO_LARGE"');
  t.ok(socket.bytesWritten < 64 * MB, `${Math.round(socket.bytesWritten / MB)} MB were taken`);
});

t.test('one that waits in silence is closed, and one that closes is gone at once', async (t) => {
  const url = new URL(await refuseAll(t));
  for (const halfOpen of [true, false]) {
    const began = performance.now();
    const socket = connect({ port: Number(url.port), host: url.hostname, allowHalfOpen: halfOpen });
    let closed = false;
    socket.resume().on('error', () => undefined).once('close', () => (closed = true));
    socket.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\nx');
    await new Promise((resolve) => socket.once('end', resolve));
    t.ok(performance.now() - began < 900, 'the server closes its end with the answer');
    // A byte that nobody takes any more is answered with a reset.
    await delay(halfOpen ? 1500 : 0);
    await waitFor('the connection to be gone', () => closed || (socket.write('x'), false));
  }
});

t.test('after a request that was read to its end the connection is kept', async (t) => {
  const url = await answerWith(t, async (incoming) => {
    await text(incoming);
    throw new AppError('VALIDATION_FAILED');
  });
  const answer = await fetch(url, { method: 'POST', body: 'x' });
  t.match([answer.status, answer.headers.get('connection')], [422, 'keep-alive']);
  await answer.text();
});

nothingIsLeft(t);
