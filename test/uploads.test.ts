// Uploaded files live as long as their interaction, however that ends, and never longer.
import { randomUUID } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { chat, send, type Answer } from './helpers/http_client.ts';
import { chatForm, fileOf, FORM_TYPE, formOf, streamForm, uploadedPaths, type FormPart } from './helpers/multipart.ts';
import { endsCleanly, serve } from './helpers/serve.ts';
import { statusOf } from './helpers/server_status.ts';
import { waitFor } from './helpers/wait_for.ts';

const env = { CANCEL_GRACE_SECONDS: '0.3', STUCK_TIMEOUT_SECONDS: '2', CHAT_TIMEOUT_SECONDS: '60' };
const server = await serve(t, 'clerk', { env, args: ['--workers', '2'] });
const { url } = server;

const TEXT: FormPart = ['files', { filename: 'a.txt', type: 'text/plain', content: 'hello' }];
const state = async (id: string): Promise<unknown> => (await send(url, `/chat/${id}`)).json['status'];
const cancel = (id: string): Promise<Answer> => send(url, `/chat/${id}/cancel`, { method: 'POST' });
const noFiles = () => waitFor('every file to be gone', async () => (await uploadedPaths(server)).length === 0);

/** Starts an interaction with a file and waits until an agent has it. */
async function started(message: string, ...parts: readonly FormPart[]): Promise<{ id: string; answer: Promise<Answer>; away(): void }> {
  const id = randomUUID();
  const controller = new AbortController();
  const body = formOf(['message', message], TEXT, ['interaction_id', id], ...parts);
  const headers = { 'content-type': FORM_TYPE };
  const answer = send(url, '/chat/with-files', { method: 'POST', headers, body, signal: controller.signal });
  answer.catch(() => undefined);
  await waitFor(`it to run: ${message}`, async () => (await state(id)) === 'running');
  t.strictSame(await uploadedPaths(server), [id, `${id}/a.txt`], 'its files are there');
  return { id, answer, away: () => controller.abort() };
}

t.test('the agent is given what was sent, and nobody else may read it', async (t) => {
  const { json } = await chatForm(url, ['message', 'list\nmodes\nread'], TEXT, fileOf('b.bin', 300_000), ['files', { filename: 'A.TXT', content: '' }]);
  const [list, modes, read] = (json['response'] as string).replaceAll('][', ']\n[').split('\n').map((line) => JSON.parse(line) as Record<string, unknown>[]);
  const folder = `${server.dataDir}/uploads/${json['interaction_id']}`;
  t.strictSame(list, [
    { name: 'a.txt', type: 'text/plain', size: 5, path: `${folder}/a.txt` },
    { name: 'b.bin', type: 'application/octet-stream', size: 300_000, path: `${folder}/b.bin` },
    { name: 'A (2).TXT', type: 'text/plain', size: 0, path: `${folder}/A (2).TXT` },
  ]);
  t.strictSame(modes, Array.from({ length: 3 }, () => ({ file: '600', folder: '700' })));
  t.strictSame(read?.map(({ bytes }) => bytes), [5, 300_000, 0]);
  t.equal(read?.[0]?.['sha256'], '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824');
  await noFiles();
});

t.test('a stream has its events, and the files until its end', async (t) => {
  const opened = await streamForm(url, ['message', 'read\nhold stream'], TEXT);
  t.equal(opened.status, 200);
  await opened.until('text');
  t.equal((await uploadedPaths(server)).length, 2);
  await chat(url, { message: 'release stream' });
  // The gate is the worker's own: the other one has another.
  await chat(url, { message: 'release stream' });
  opened.close();
  await noFiles();
});

t.test('they are gone when the agent fails', async (t) => {
  t.match(await chatForm(url, ['message', 'fail it'], TEXT), { status: 500, json: { code: 'AGENT_FAILED' } });
  await noFiles();
});

t.test('they are gone when the interaction is cancelled, also one that takes no notice', async (t) => {
  for (const message of ['hold on', 'deaf']) {
    const { id, answer } = await started(message);
    t.equal((await cancel(id)).json['status'], 'cancelled');
    t.match(await answer, { status: 409, json: { code: 'CANCELLED' } });
    await noFiles();
  }
  await waitFor('the workers to be replaced', async () => (await statusOf(server)).workers.every(({ state }) => state === 'ready'));
});

t.test('they are gone when the client goes away in the middle of the answer, and stay when it says that it will', async (t) => {
  const gone = await started('hold on');
  gone.away();
  await noFiles();
  t.equal(await state(gone.id), 'cancelled');
  const stays = await started('hold on', ['on_disconnect', 'continue']);
  stays.away();
  await chat(url, { message: 'hi' });
  t.strictSame(await uploadedPaths(server), [stays.id, `${stays.id}/a.txt`]);
  await cancel(stays.id);
  await noFiles();
  const opened = await streamForm(url, ['message', 'say a\nhold on'], TEXT);
  await opened.until('text');
  opened.close();
  await noFiles();
});

t.test('they are gone when their worker is lost', async (t) => {
  const { answer } = await started('spin');
  t.match(await answer, { status: 500, json: { code: 'WORKER_STUCK' } });
  await noFiles();
  await waitFor('the workers to be ready', async () => (await statusOf(server)).workers.filter(({ state }) => state === 'ready').length === 2, 20_000);
});

t.test('what waits for its session has its files, and loses them when it is cancelled there', async (t) => {
  const first = await started('hold on', ['session_id', 'line']);
  const [second, third] = [randomUUID(), randomUUID()];
  const cancelled = chatForm(url, TEXT, ['message', 'read'], ['session_id', 'line'], ['interaction_id', second]);
  await waitFor('the second to wait', async () => (await state(second)) === 'queued');
  const kept = chatForm(url, TEXT, ['message', 'read'], ['session_id', 'line'], ['interaction_id', third]);
  await waitFor('the third to wait', async () => (await state(third)) === 'queued');
  await waitFor('all files to be in their places', async () => (await uploadedPaths(server)).filter((path) => path.endsWith('/a.txt')).length === 3);
  t.equal((await uploadedPaths(server)).filter((path) => path.startsWith('receiving-')).length, 0);
  await cancel(second);
  t.equal((await cancelled).status, 409);
  await waitFor('its files to be gone', async () => (await uploadedPaths(server)).length === 4);
  await cancel(first.id);
  t.match((await kept).json['response'], '"bytes":5');
  await noFiles();
});

t.test('an interaction\'s place in its session is when its body was complete', async (t) => {
  const ids = Array.from({ length: 3 }, () => randomUUID());
  const first = await started('hold on', ['session_id', 'order']);
  const slow = partial(formOf(TEXT, ['message', 'say a'], ['session_id', 'order'], ['interaction_id', ids[0] as string]));
  await waitFor('it to be received', async () => (await uploadedPaths(server)).length === 4);
  const form = chatForm(url, TEXT, ['message', 'say b'], ['session_id', 'order'], ['interaction_id', ids[1] as string]);
  await waitFor('the second to wait', async () => (await state(ids[1] as string)) === 'queued');
  const json = chat(url, { message: 'say c', session_id: 'order', interaction_id: ids[2] });
  await waitFor('the third to wait', async () => (await state(ids[2] as string)) === 'queued');
  slow.finish();
  await waitFor('the one that began first to wait', async () => (await state(ids[0] as string)) === 'queued');
  await cancel(first.id);
  await Promise.all([form, json]);
  await waitFor('all to have run', async () => (await state(ids[0] as string)) === 'success');
  const { items } = (await send(url, '/chat/sessions/order')).json as unknown as { items: { role: string; content: string }[] };
  const said = items.filter(({ role }) => role === 'user').map(({ content }) => content.split('\n')[0]);
  t.strictSame(said, ['say b', 'say c', 'say a']);
  slow.socket.destroy();
  await noFiles();
});

/** A form whose last byte is not sent before `finish`. */
function partial(body: Buffer): { readonly socket: Socket; finish(): void } {
  const { port, hostname } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined).resume();
  socket.write(`POST /chat/with-files HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${FORM_TYPE}\r\nContent-Length: ${body.length}\r\n\r\n`);
  socket.write(body.subarray(0, -1));
  return { socket, finish: () => void socket.write(body.subarray(-1)) };
}

t.test('a client that goes away just after its last byte has gone away as any other', async (t) => {
  const ends: unknown[] = [];
  // The pauses go up and down, so that it is at every stage on any machine: while it is received, stored, admitted, and after.
  for (let round = 0; round < 400 && (round < 40 || !ends.includes('cancelled')); round += 1) {
    const id = randomUUID();
    const { socket, finish } = partial(formOf(fileOf('a.bin', 200_000), ['message', 'hold on'], ['interaction_id', id]));
    finish();
    await delay(round % 80);
    socket.resetAndDestroy();
    await noFiles();
    const end = await waitFor('its end', async () => {
      const now = await state(id);
      return now === 'queued' || now === 'running' ? null : now;
    });
    ends.push(end);
  }
  // Those that were gone before their last byte was read are not known.
  t.strictSame([...new Set(ends)].filter((end) => end !== 404), ['cancelled']);
});

t.test('so many uploads are received at once; one more is told to come again, and nothing else has to wait', async (t) => {
  const body = formOf(TEXT, ['message', 'list']);
  const open = Array.from({ length: 64 }, () => partial(body));
  await waitFor('all of them to be received', async () => (await uploadedPaths(server)).filter((path) => path.endsWith('a.txt')).length === 64);
  const refused = await chatForm(url, ['message', 'list'], TEXT);
  t.match(refused, { status: 503, headers: { 'retry-after': '5' }, json: { code: 'QUEUE_FULL', detail: 'Too many uploads are in progress.' } });
  t.equal((await chat(url, { message: 'hi' })).status, 200);
  open[0]?.finish();
  await waitFor('a place', async () => (await chatForm(url, ['message', 'list'], TEXT)).status === 200);
  for (const { socket } of open) socket.destroy();
  await noFiles();
});

t.test('what is not admitted leaves nothing', async (t) => {
  const busy = await serve(t, 'clerk', { args: ['--workers', '1', '--concurrency', '1', '--queue', '0'] });
  t.equal((await chatForm(busy.url, ['message', 'read'], TEXT)).status, 200, 'without a queue, a worker that is free is enough');
  const first = await streamForm(busy.url, ['message', 'say a\nhold on'], TEXT);
  await first.until('text');
  t.match(await chatForm(busy.url, ['message', 'read'], TEXT), { status: 503, json: { code: 'QUEUE_FULL' } });
  await waitFor('one interaction\'s files to be left', async () => (await uploadedPaths(busy)).length === 2);
  first.close();
  await waitFor('none to be left', async () => (await uploadedPaths(busy)).length === 0);
  t.strictSame(await busy.stop(), { code: 0, signal: null });
});

t.test('no file failed anywhere', async (t) => {
  t.notMatch(server.output.stderr, /could not be (removed|stored|kept)/);
});

endsCleanly(t, server);
