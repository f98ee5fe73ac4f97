// A thousand uploads that break off at any byte: nothing of them stays, on the disk or in the process.
import { watch } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { chat } from './helpers/http_client.ts';
import { chatForm, fileOf, FORM_TYPE, formOf, uploadedPaths } from './helpers/multipart.ts';
import { endsCleanly, serve } from './helpers/serve.ts';
import { figuresOf, statusOf } from './helpers/server_status.ts';
import { waitFor } from './helpers/wait_for.ts';

const UPLOADS = 1000;
/** So many at a time, fewer than are received at once. */
const ABREAST = 40;
const MOST_MB = 60;
const SEED = 20_260_101;

const server = await serve(t, 'clerk', {
  // Garbage that V8 has room for shall not count as memory that was not given back.
  env: { RESUME_MEMORY_MB: '1', NODE_OPTIONS: '--max-old-space-size=96 --max-semi-space-size=2', LOG_LEVEL: 'warn' },
});
const { url } = server;

/** Numbers from 0 to 1 that are the same in every run. */
function randoms(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const random = randoms(SEED);
const forms = [
  formOf(['message', 'hold on'], fileOf('a.bin', 200_000), ['user_id', 'x'], fileOf('b.bin', 10)),
  formOf(...Array.from({ length: 10 }, (_, i) => fileOf(`${i}.bin`, 5_000)), ['message', 'hold on']),
  formOf(fileOf('a.bin', 1_500_000), ['message', 'read']),
  formOf(['message', 'x'.repeat(50_000)], fileOf('a.bin', 1), ['env', '{}']),
];

/** Sends a form up to a random byte, at random in one piece or two, and goes away in one of three manners. */
async function breakOff(): Promise<void> {
  const form = forms[Math.floor(random() * forms.length)] as Buffer;
  const request = `POST /chat/with-files HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${FORM_TYPE}\r\nContent-Length: ${form.length}\r\n\r\n`;
  const all = Buffer.concat([Buffer.from(request), form]);
  const end = request.length + Math.floor(random() * form.length);
  const middle = Math.floor(random() * end);
  const [manner, pauseMs] = [random(), random() * 20];
  const { port, hostname } = new URL(url);
  const socket = connect(Number(port), hostname);
  const closed = new Promise<void>((resolve) => socket.on('error', () => undefined).once('close', () => resolve()));
  // Whose the connection is, is found out by its first request: the second is received from its first byte on.
  socket.write('GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await new Promise((resolve) => socket.once('data', resolve));
  socket.resume();
  await new Promise((resolve) => socket.write(all.subarray(0, middle), resolve));
  await delay(pauseMs);
  await new Promise((resolve) => socket.write(all.subarray(middle, end), resolve));
  if (manner < 0.4) socket.resetAndDestroy();
  else if (manner < 0.8) socket.destroy();
  else socket.end();
  await closed;
}

async function breakOffMany(count: number): Promise<void> {
  let left = count;
  const one = async (): Promise<void> => {
    while (left-- > 0) await breakOff();
  };
  await Promise.all(Array.from({ length: ABREAST }, one));
}

const nothingReceived = () => waitFor('every file to be gone', async () => (await uploadedPaths(server)).length === 0, 20_000);

t.test('a thousand uploads that break off leave nothing', async (t) => {
  // The first ones make the process as large as it wants to be; what is measured is what the others leave.
  await breakOffMany(UPLOADS / 5);
  await nothingReceived();
  t.equal((await chatForm(url, ['message', 'read'], fileOf('a.bin', 100_000))).status, 200);
  await nothingReceived();
  const before = await figuresOf(server);
  const folders = new Set<string | null>();
  const watcher = watch(join(server.dataDir, 'uploads'), (_event, name) => folders.add(name));
  const began = performance.now();
  await breakOffMany(UPLOADS);
  const tookMs = Math.round(performance.now() - began);
  await nothingReceived();
  watcher.close();
  t.ok(folders.size > UPLOADS / 2, `${folders.size} of ${UPLOADS} had begun to store a file`);
  const after = await waitFor('its descriptors and threads to be as before', async () => {
    const now = await figuresOf(server);
    return now.files <= before.files && now.threads <= before.threads ? now : null;
  });
  const growthMb = Math.round(after.residentMb - before.residentMb);
  t.ok(growthMb < MOST_MB, `${UPLOADS} in ${tookMs} ms; ${after.files} descriptors, before ${before.files}; ${growthMb} MB more`);
});

t.test('the server is as well as before', async (t) => {
  const { active_requests, queued_requests } = await statusOf(server);
  t.equal(active_requests + queued_requests, 0);
  t.match(await chatForm(url, ['message', 'read'], fileOf('a.bin', 100_000)), { status: 200, json: { response: /"bytes":100000/ } });
  t.equal((await chat(url, { message: 'hi' })).status, 200);
  t.equal(server.output.stderr, '', 'a client that goes away is nothing to log');
});

endsCleanly(t, server);
