// Forms made of pieces of forms: each is answered, whatever it is, however it is cut, and no file is waited for that never ends.
import { text } from 'node:stream/consumers';
import t from 'tap';
import { AppError } from '../../../shared/errors.ts';
import { multipartBoundary, readMultipart, type MultipartLimits } from '../../../supervisor/http/multipart.ts';
import { answerWith } from '../../helpers/answering_server.ts';
import { nothingIsLeft } from '../../helpers/leftovers.ts';
import { exchange, head } from '../../helpers/raw_socket.ts';

const BODIES = 2000;
const SEED = 20_260_102;
const D = '--b0und';
const LIMITS: MultipartLimits = { bodyBytes: 1e6, files: 5, fields: 5, fieldBytes: 20_001, fileBytes: 1e5, silenceMs: 60_000, totalMs: 60_000 };
const PIECES: readonly string[] = [
  `${D}\r\n`, `\r\n${D}\r\n`, `\r\n${D}--\r\n`, `${D}--`, '\r\n', '\r\n\r\n', '\r', '\n', '-', 'hi', '\0', '\xff\xfe', '"', ';', 'a'.repeat(5000), 'z'.repeat(30_000),
  'Content-Disposition: form-data; name="files"; filename="a.txt"', 'Content-Disposition: form-data; name="message"', 'Content-Disposition: form-data',
  "Content-Disposition: form-data; name=\"files\"; filename*=utf-8''a", 'Content-Type: text/plain', 'Content-Type: ;;;', 'content-type: application/octet-stream',
];
const PARTS = ['message', 'message"; filename="q', 'files"; filename="q'].map((name) => `${D}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n`);

let state = SEED;
/** The same numbers in every run, from 0 to `below`, whole. */
const random = (below: number): number => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
};
const pick = (from: readonly string[]): string => from[random(from.length)] as string;

function makeBody(): Buffer {
  const pieces = Array.from({ length: 1 + random(12) }, () => (random(2) === 0 ? `${pick(PARTS)}${pick(['hi', '', 'z'.repeat(66_000)])}\r\n` : pick(PIECES)));
  const body = Buffer.from(`${pieces.join('')}${random(3) === 0 ? '' : `${D}--\r\n`}`, 'latin1');
  for (let i = random(4); i > 1; i -= 1) body[random(body.length)] = random(256);
  return body;
}

/** In chunks of any size. */
function chunked(body: Buffer): Buffer {
  const chunks: Buffer[] = [];
  const most = random(2) === 0 ? 1 + body.length / 50 : 70_000;
  for (let at = 0; at < body.length;) {
    const chunk = body.subarray(at, at + 1 + random(most));
    at += chunk.length;
    chunks.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'));
  }
  return Buffer.concat([...chunks, Buffer.from('0\r\n\r\n')]);
}

t.test('every form is answered', async (t) => {
  const url = await answerWith(t, async (request, response) => {
    await readMultipart({ request, response }, multipartBoundary(request, LIMITS.bodyBytes), LIMITS, {
      field(_name, _value, isCut) {
        if (isCut) throw new AppError('PAYLOAD_TOO_LARGE');
      },
      file: async (_name, _filename, _type, stream) => void (await text(stream)),
    });
    return 'read';
  });
  const seen = new Map<number, number>();
  const one = async (): Promise<void> => {
    const request = head('POST / HTTP/1.1', 'Content-Type: multipart/form-data; boundary=b0und', 'Transfer-Encoding: chunked');
    const { status } = await exchange(url, Buffer.concat([Buffer.from(request), chunked(makeBody())]), 20_000);
    seen.set(status, (seen.get(status) ?? 0) + 1);
  };
  let left = BODIES;
  await Promise.all(Array.from({ length: 20 }, async () => {
    while (left-- > 0) await one();
  }));
  t.strictSame([...seen.keys()].toSorted(), [200, 400, 413], JSON.stringify([...seen]));
});

nothingIsLeft(t);
