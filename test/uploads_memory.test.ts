// A hundred megabytes pass through the server without staying in it.
import { request } from 'node:http';
import { Readable } from 'node:stream';
import { json } from 'node:stream/consumers';
import t from 'tap';
import { BOUNDARY, FORM_END, FORM_TYPE, rawPart } from './helpers/multipart.ts';
import { endsCleanly, serve } from './helpers/serve.ts';
import { figuresOf } from './helpers/server_status.ts';

const MB = 1024 * 1024;
const MOST_MB = 30;
const FILES = 4;
const FILE_BYTES = 25 * MB;

const server = await serve(t, 'clerk');

/** The form, made as it is sent. */
async function* pieces(): AsyncGenerator<Buffer> {
  const piece = Buffer.alloc(64 * 1024, 0xfe);
  for (let i = 0; i < FILES; i += 1) {
    yield Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="${i}.bin"\r\n\r\n`);
    for (let sent = 0; sent < FILE_BYTES; sent += piece.length) yield piece;
    yield Buffer.from('\r\n');
  }
  yield rawPart('Content-Disposition: form-data; name="message"', 'read');
  yield FORM_END;
}

function upload(): Promise<{ response: string }> {
  return new Promise((resolve, reject) => {
    const sending = request(`${server.url}/chat/with-files`, { method: 'POST', agent: false, headers: { 'content-type': FORM_TYPE } }, (response) => {
      resolve(json(response) as Promise<{ response: string }>);
    });
    sending.on('error', reject);
    Readable.from(pieces()).pipe(sending);
  });
}

/** @returns by how much the process was larger at most, in MB */
async function growthWhile(work: () => Promise<unknown>): Promise<number> {
  const before = (await figuresOf(server)).residentMb;
  let highest = before;
  const watch = setInterval(() => void figuresOf(server).then(({ residentMb }) => (highest = Math.max(highest, residentMb))), 20);
  await work();
  clearInterval(watch);
  return Math.round(highest - before);
}

t.test('100 MB make the process no more than 30 MB larger, while they come and after', async (t) => {
  const growths: number[] = [];
  while (growths.length < 4) {
    growths.push(await growthWhile(async () => {
      const { response } = await upload();
      t.strictSame((JSON.parse(response) as { bytes: number }[]).map(({ bytes }) => bytes), Array(FILES).fill(FILE_BYTES));
    }));
  }
  // Some also take what V8 lets lie before it looks for garbage among buffers, 32 MB: what uploads themselves need, each takes.
  t.ok(Math.min(...growths) < MOST_MB, `${growths.join(', ')} MB more`);
  t.ok(Math.max(...growths) < MOST_MB + 32);
});

endsCleanly(t, server);
