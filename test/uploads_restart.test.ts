// What a server leaves of its uploads: nothing when it is stopped, and nothing for long when it is killed or its disk is full.
import { connect, type Socket } from 'node:net';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { makeFolder } from './helpers/folder.ts';
import { chat } from './helpers/http_client.ts';
import { nothingIsLeft } from './helpers/leftovers.ts';
import { chatForm, fileOf, FORM_TYPE, formOf, streamForm, uploadedPaths, type FormPart } from './helpers/multipart.ts';
import { LAUNCHER, spawnProcess } from './helpers/process.ts';
import { serve } from './helpers/serve.ts';
import { waitFor } from './helpers/wait_for.ts';

const FILE = fileOf('a.bin', 100_000);
const NO_ROOM = { code: 'STORE_UNAVAILABLE', detail: 'The files could not be stored.' };

async function serveIn(t: Test, dataDir: string, limitKb?: number) {
  const words = ['serve', 'clerk', '--config-root', 'test/fixtures', '--host', '127.0.0.1', '--port', '0', '--workers', '1', '--data-dir', dataDir];
  const command = [process.execPath, LAUNCHER, ...words];
  // The shell counts blocks of 512 bytes, or of 1024.
  const limited = limitKb === undefined ? command : ['/bin/sh', '-c', `ulimit -f ${limitKb} && exec "$0" "$@"`, ...command];
  const { process: child, output, exited } = spawnProcess(limited[0] as string, limited.slice(1));
  t.teardown(() => child.kill('SIGKILL'));
  const url = await waitFor('the ready line', () => / ready on (http:\S+)/.exec(output.stdout)?.[1], 30_000);
  const stop = (signal: NodeJS.Signals) => {
    child.kill(signal);
    return exited;
  };
  return { url, output, stop };
}

/** Sends all of a form but its last bytes. */
function beginUpload(t: Test, url: string, ...parts: readonly FormPart[]): Socket {
  const { port, hostname } = new URL(url);
  const socket = connect(Number(port), hostname);
  t.teardown(() => socket.destroy());
  const body = formOf(...parts);
  socket.on('error', () => undefined).resume();
  socket.write(`POST /chat/with-files HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${FORM_TYPE}\r\nContent-Length: ${body.length}\r\n\r\n`);
  socket.write(body.subarray(0, -10));
  return socket;
}

t.test('killed while it receives a file and while an interaction has one, it finds none at its next start', async (t) => {
  const dataDir = await makeFolder(t);
  const first = await serveIn(t, dataDir);
  const opened = await streamForm(first.url, ['message', 'say a\nhold on'], FILE);
  await opened.until('text');
  beginUpload(t, first.url, FILE, ['message', 'read']);
  const files = async () => (await uploadedPaths({ dataDir })).filter((path) => path.endsWith('/a.bin'));
  await waitFor('both files', async () => (await files()).length === 2);
  await first.stop('SIGKILL');
  t.equal((await files()).length, 2, 'nobody was there to remove them');
  const second = await serveIn(t, dataDir);
  t.strictSame(await uploadedPaths({ dataDir }), []);
  t.equal((await chatForm(second.url, ['message', 'read'], FILE)).status, 200);
  t.strictSame(await second.stop('SIGTERM'), { code: 0, signal: null });
});

t.test('stopped, it leaves none: neither of what it received nor of what was running', async (t) => {
  const server = await serve(t, 'clerk', { env: { DRAIN_TIMEOUT_SECONDS: '0.3' } });
  const opened = await streamForm(server.url, ['message', 'say a\nhold on'], FILE);
  await opened.until('text');
  beginUpload(t, server.url, FILE, ['message', 'read']);
  await waitFor('both files', async () => (await uploadedPaths(server)).filter((path) => path.endsWith('/a.bin')).length === 2);
  const left: string[] = [];
  server.process.kill('SIGTERM');
  await server.exited;
  left.push(...(await uploadedPaths(server)));
  t.strictSame(left, []);
  t.match(await opened.ended, '"code":"shutting_down"');
  t.strictSame(await server.stop(), { code: 0, signal: null });
});

t.test('an upload that is complete before the drain\'s end is still answered', async (t) => {
  const server = await serve(t, 'clerk');
  const { port, hostname } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  let received = '';
  socket.setEncoding('utf8').on('data', (text: string) => (received += text));
  const body = formOf(['message', 'read'], FILE);
  socket.write(`POST /chat/with-files HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${FORM_TYPE}\r\nContent-Length: ${body.length}\r\n\r\n`);
  socket.write(body.subarray(0, -10));
  await waitFor('the file', async () => (await uploadedPaths(server)).length === 2);
  server.process.kill('SIGTERM');
  await waitFor('the stop to begin', () => server.output.stderr.includes('"phase":"draining"'));
  socket.write(body.subarray(-10));
  t.strictSame(await server.exited, { code: 0, signal: null });
  t.match(received, /^HTTP\/1\.1 200 .*Connection: close.*"bytes":100000|^HTTP\/1\.1 200 .*bytes\\":100000/s);
  t.strictSame(await uploadedPaths(server), []);
});

t.test('where the disk takes no more, a client is told so, and nothing of its files is left', async (t) => {
  const dataDir = await makeFolder(t);
  const server = await serveIn(t, dataDir, 2048);
  for (const post of [chatForm, async (...parts: Parameters<typeof chatForm>) => ({ status: (await streamForm(...parts)).status, json: NO_ROOM })]) {
    t.match(await post(server.url, ['message', 'read'], fileOf('large.bin', 5 * 1024 * 1024)), { status: 503, json: NO_ROOM });
  }
  await waitFor('the reason in the log', () => /"level":"error".*EFBIG.*an upload could not be stored/.test(server.output.stderr));
  await waitFor('every file to be gone', async () => (await uploadedPaths({ dataDir })).length === 0);
  const { status, headers } = await chatForm(server.url, ['message', 'read'], fileOf('large.bin', 5 * 1024 * 1024));
  t.match({ status, headers }, { status: 503, headers: { 'retry-after': /^\d+$/ } });
  t.equal((await chatForm(server.url, ['message', 'read'], FILE)).status, 200, 'smaller ones are still taken');
  t.equal((await chat(server.url, { message: 'hi' })).status, 200);
  t.strictSame(await server.stop('SIGTERM'), { code: 0, signal: null });
});

t.test('where the folder has gone, a client is told so, without its path', async (t) => {
  const server = await serve(t, 'clerk');
  await rm(join(server.dataDir, 'uploads'), { recursive: true });
  await writeFile(join(server.dataDir, 'uploads'), '');
  const { status, text } = await chatForm(server.url, ['message', 'read'], FILE);
  t.match({ status, text }, { status: 503, text: NO_ROOM.detail });
  t.notMatch(text, server.dataDir);
  await waitFor('the reason in the log', () => /ENOTDIR.*an upload could not be stored/.test(server.output.stderr));
  t.equal((await chat(server.url, { message: 'hi' })).status, 200);
  t.strictSame(await server.stop(), { code: 0, signal: null });
});

nothingIsLeft(t);
