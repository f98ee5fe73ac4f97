// How long a body may take: a slow client is told so, and a slow disk is not the client's fault.
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { readJson } from '../../../supervisor/http/body.ts';
import { multipartBoundary, readMultipart, type MultipartLimits } from '../../../supervisor/http/multipart.ts';
import { answerWith } from '../../helpers/answering_server.ts';
import { nothingIsLeft } from '../../helpers/leftovers.ts';
import { FORM_TYPE, formOf } from '../../helpers/multipart.ts';

const MB = 1024 * 1024;
const LIMITS: MultipartLimits = { bodyBytes: 64 * MB, files: 10, fields: 20, fieldBytes: 1000, fileBytes: 64 * MB, silenceMs: 400, totalMs: 60_000 };

/** Sends these pieces, so many ms apart, and reads to the end of the connection. */
async function sendSlowly(url: string, head: string, pieces: readonly (string | Buffer)[], gapMs: number): Promise<string> {
  const { port, hostname } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  const answer = text(socket);
  socket.write(`POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${head}\r\n\r\n`);
  for (const piece of pieces) {
    if (socket.writable) socket.write(piece);
    await delay(gapMs);
  }
  return answer;
}

/** Answers with the size of the file; each piece of it takes `pieceMs`. */
function formServer(t: Test, limits: Partial<MultipartLimits>, pieceMs = 0): Promise<string> {
  return answerWith(t, async (request, response) => {
    let size = 0;
    await readMultipart({ request, response }, multipartBoundary(request, 64 * MB), { ...LIMITS, ...limits }, {
      field: () => undefined,
      async file(_name, _filename, _type, stream) {
        for await (const piece of stream as AsyncIterable<Buffer>) {
          size += piece.length;
          await delay(pieceMs);
        }
      },
    });
    return size;
  });
}

const form = (bytes: number): Buffer => formOf(['files', { filename: 'a', content: Buffer.alloc(bytes) }]);
const headOf = (body: Buffer): string => `Content-Type: ${FORM_TYPE}\r\nContent-Length: ${body.length}`;

t.test('a JSON body has its own time, which is not prolonged by a byte now and then', async (t) => {
  const url = await answerWith(t, (request, response) => readJson({ request, response }, 1000, 300));
  const head = 'Content-Type: application/json\r\nContent-Length: 20';
  const answer = await sendSlowly(url, head, [...'"0123456789012345'], 50);
  t.match(answer, /^HTTP\/1\.1 408 .*"code":"REQUEST_TIMEOUT"/s);
  t.match(await sendSlowly(url, 'Content-Type: application/json\r\nContent-Length: 3', ['"x"'], 0), /^HTTP\/1\.1 200 .*"x"$/s);
});

t.test('an upload may take long, but not be silent', async (t) => {
  const body = form(1000);
  const pieces = Array.from({ length: 10 }, (_, i) => body.subarray(Math.floor((i * body.length) / 10), Math.floor(((i + 1) * body.length) / 10)));
  const url = await formServer(t, { silenceMs: 400 });
  t.match(await sendSlowly(url, headOf(body), pieces, 100), /^HTTP\/1\.1 200 .*1000$/s, 'longer in all than it may be silent');
  const silent = await sendSlowly(url, headOf(body), pieces.slice(0, 3), 0);
  t.match(silent, /^HTTP\/1\.1 408 .*"detail":"Nothing of the body came for 0\.4 s\."/s);
});

t.test('and not for ever', async (t) => {
  const body = form(1000);
  const url = await formServer(t, { totalMs: 300 });
  const answer = await sendSlowly(url, headOf(body), [...body.subarray(0, 10)].map((byte) => Buffer.from([byte])), 50);
  t.match(answer, /^HTTP\/1\.1 408 .*"detail":"The body took longer than 0\.3 s\."/s);
});

t.test('nor may it take for ever to be stored', async (t) => {
  const body = form(1000);
  const url = await formServer(t, { totalMs: 300 }, 2000);
  t.match(await sendSlowly(url, headOf(body), [body], 0), /^HTTP\/1\.1 408 .*"code":"REQUEST_TIMEOUT"/s);
});

t.test('while the disk is slow nobody is silent', async (t) => {
  const body = form(MB);
  const url = await formServer(t, { silenceMs: 100 }, 150);
  t.match(await sendSlowly(url, headOf(body), [body], 0), new RegExp(`^HTTP/1\\.1 200 .*${MB}$`, 's'));
});

t.test('one that goes away is noticed, wherever it is', async (t) => {
  const body = form(MB);
  const ends: string[] = [];
  const url = await answerWith(t, async (request, response) => {
    const read = readMultipart({ request, response }, multipartBoundary(request, MB * 2), LIMITS, {
      field: () => undefined,
      file: async (_name, _filename, _type, stream) => void (await text(stream)),
    });
    await read.catch((error: unknown) => ends.push((error as Error).message));
  });
  for (const length of [0, 10, 200, 100_000, body.length - 5]) {
    const { port, hostname } = new URL(url);
    const socket = connect(Number(port), hostname);
    socket.write(`POST / HTTP/1.1\r\nHost: localhost\r\n${headOf(body)}\r\n\r\n`);
    await new Promise((resolve) => socket.write(body.subarray(0, length), resolve));
    await delay(20);
    socket.resetAndDestroy();
  }
  for (let i = 0; ends.length < 5 && i < 500; i += 1) await delay(10);
  t.strictSame(ends, Array(5).fill('The body broke off.'));
});

nothingIsLeft(t);
