// The ends of a server: what it still does for whoever is there, and that it ends whatever its workers do.
import { readFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { bestOf } from './helpers/best_of.ts';
import { chat, send, stream } from './helpers/http_client.ts';
import { makeFolder } from './helpers/folder.ts';
import { startServer, type StartedServer } from './helpers/process.ts';
import { isAlive } from './helpers/processes.ts';
import { serve } from './helpers/serve.ts';
import { adminTokenOf, bearer } from './helpers/tokens.ts';
import { waitFor } from './helpers/wait_for.ts';

/** For an end at once. */
const AT_ONCE_MS = 1000;
/** Beyond the deadline of a drain: half of the second that there is. */
const LATE_MS = 500;
const DRAIN_MS = 2000;
/** A worker that has been in an endless loop for so short is not known to be. */
const SHORT_DRAIN_MS = 500;

const isGone = ({ process: { pid } }: StartedServer): boolean => {
  try {
    process.kill(pid as number, 0);
    return false;
  } catch {
    return true;
  }
};

t.test('TERM with 100 short and 20 endless interactions', async (t) => {
  await bestOf(t, 'the end', DRAIN_MS + LATE_MS, () => endBusy(t));
});

/** @returns how long the end took, in ms */
async function endBusy(t: Test): Promise<number> {
  // Idle connections that are kept would run out after the deadline.
  const env = { DRAIN_TIMEOUT_SECONDS: String(DRAIN_MS / 1000), KEEP_ALIVE_SECONDS: '75' };
  const server = await serve(t, 'puppet', { args: ['--workers', '2'], env });
  const agent = new Agent({ keepAlive: true });
  t.teardown(() => agent.destroy());
  await send(server.url, '/health', { agent });
  const endless = await Promise.all(Array.from({ length: 20 }, () => stream(server.url, { message: 'say on\nhang' })));
  const short = await Promise.all(Array.from({ length: 100 }, (_, number) => stream(server.url, { message: `say ${number}\npieces 20\nsay over` })));
  await Promise.all(endless.map((each) => each.until('text')));
  const began = performance.now();
  server.process.kill('SIGTERM');
  const ends = await Promise.all(short.map(async (each) => ((await each.ended).endsWith('[DONE]\n\n') ? each.events.at(-1)?.content.type : 'cut')));
  t.strictSame(ends, Array(100).fill('output'), 'every short one is whole');
  await Promise.all(endless.map((each) => each.ended));
  t.strictSame(endless.map((each) => each.events.at(-1)?.content.error?.code), Array(20).fill('shutting_down'), 'every endless one is told');
  t.strictSame(await server.exited, { code: 0, signal: null });
  const tookMs = performance.now() - began;
  t.ok(tookMs > DRAIN_MS - 100, `not before the deadline: ${Math.round(tookMs)} ms`);
  return tookMs;
}

t.test('--drain-delay: not ready, but accepting; then nothing new, and open connections run out', async (t) => {
  const server = await serve(t, 'puppet', { args: ['--drain-delay', '1.5'], env: { KEEP_ALIVE_SECONDS: '1' } });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  t.equal((await send(server.url, '/ready', { agent })).status, 200);
  server.process.kill('SIGTERM');
  await waitFor('it to be not ready', async () => (await send(server.url, '/ready')).status === 503);
  t.match((await send(server.url, '/ready')).json, { status: 'draining' });
  t.equal((await chat(server.url, { message: 'say hi' })).json['response'], 'hi', 'a new connection is still taken');
  const kept = await send(server.url, '/health', { agent });
  t.equal(kept.status, 200);
  await waitFor('the end of accepting', () => send(server.url, '/health').then(() => false, () => true));
  t.strictSame(await server.exited, { code: 0, signal: null });
});

t.test('a connection that was open is answered once more, and told that it ends', async (t) => {
  const server = await serve(t, 'puppet', { env: { KEEP_ALIVE_SECONDS: '5' } });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  const hung = await stream(server.url, { message: 'hold it' });
  await hung.until('start');
  t.equal((await send(server.url, '/health', { agent })).headers.connection, 'keep-alive');
  server.process.kill('SIGTERM');
  await waitFor('the end of accepting', () => send(server.url, '/health').then(() => false, () => true));
  const answer = await send(server.url, '/chat', { method: 'POST', body: { message: 'release it\nsay whole' }, agent });
  t.match(answer, { status: 200, headers: { connection: 'close' }, json: { response: 'whole' } });
  t.match(await hung.ended, /\[DONE\]/);
  t.strictSame(await server.exited, { code: 0, signal: null });
});

const BUSY = `
import { execSync } from 'node:child_process';
import { DatabaseSync } from 'node:sqlite';
export default async function* ({ message }) {
  yield 'going';
  await new Promise((resolve) => setTimeout(resolve, 100));
  if (message === 'loop') for (;;);
  if (message === 'shell') execSync('sleep 30');
  if (message === 'native') new DatabaseSync(':memory:').exec('WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n');
  await new Promise(() => {});
}
`;

async function serveBusy(t: Test, options: { readonly doing?: readonly string[]; readonly launcher?: boolean } = {}): Promise<StartedServer> {
  const { doing = ['loop', 'shell', 'native'], launcher = false } = options;
  const folder = await makeFolder(t, { 'agents/busy.mjs': BUSY });
  const args = ['--config-root', folder, '--host', '127.0.0.1', '--workers', String(doing.length)];
  const server = await startServer({ agent: 'busy', args, launcher, env: { DRAIN_TIMEOUT_SECONDS: String(SHORT_DRAIN_MS / 1000) } });
  t.teardown(() => server.stop());
  const running = await Promise.all(doing.map((message) => stream(server.url, { message })));
  await Promise.all(running.map((each) => each.until('text')));
  return server;
}

t.test('TERM with a worker in an endless loop, or one whose agent takes no notice', async (t) => {
  for (const message of ['loop', 'nothing']) {
    await bestOf(t, message, SHORT_DRAIN_MS + LATE_MS, async () => {
      const server = await serveBusy(t, { doing: [message] });
      const began = performance.now();
      server.process.kill('SIGTERM');
      t.strictSame(await server.exited, { code: 0, signal: null });
      return performance.now() - began;
    });
  }
});

for (const launcher of [false, true]) {
  t.test(`POST /kill${launcher ? ' with the launcher' : ''}, whatever the workers do`, async (t) => {
    await bestOf(t, 'the end', AT_ONCE_MS, async () => {
      const server = await serveBusy(t, { launcher });
      const { supervisor_pid: supervisor } = JSON.parse(await readFile(join(server.dataDir, 'server.json'), 'utf8')) as { supervisor_pid: number };
      t.equal((await send(server.url, '/kill', { method: 'POST' })).status, 403, 'not by anybody, local or not');
      const headers = bearer(await adminTokenOf(server));
      const began = performance.now();
      const answer = await send(server.url, '/kill', { method: 'POST', headers });
      t.strictSame([answer.status, answer.json], [200, { message: 'Server killed immediately', agent: 'busy' }]);
      await waitFor('the process to be gone', () => isGone(server) || server.process.exitCode !== null || server.process.signalCode !== null);
      t.notOk(launcher && isAlive(supervisor));
      return performance.now() - began;
    });
  });
}

for (const [way, reason] of [['kill', 'POST /kill'], ['SIGQUIT', 'SIGQUIT'], ['SIGINT', 'a second SIGINT']] as const) {
  t.test(`the server's log says that ${reason} has ended it, and how many interactions were cut`, async (t) => {
    const server = await serveBusy(t, { doing: ['nothing', 'nothing'], launcher: true });
    if (way === 'kill') await send(server.url, '/kill', { method: 'POST', headers: bearer(await adminTokenOf(server)) });
    else server.process.kill(way);
    if (way === 'SIGINT') {
      await new Promise((resolve) => setTimeout(resolve, 300));
      server.process.kill(way);
    }
    await server.exited;
    const told = server.output.stderr.split('\n').filter((line) => line.includes('ends at once')).map((line) => JSON.parse(line) as unknown);
    t.match(told, [{ level: 'warn', reason, interactions: 2 }]);
    t.equal(told.length, 1);
  });
}

for (const signals of [['SIGQUIT'], ['SIGINT', 'SIGINT']] as const) {
  t.test(`${signals.join(', ')}, whatever the workers do`, async (t) => {
    await bestOf(t, 'the end', AT_ONCE_MS, async () => {
      const server = await serveBusy(t);
      let began = performance.now();
      for (const [index, signal] of signals.entries()) {
        // Two that come together count as one.
        if (index > 0) await new Promise((resolve) => setTimeout(resolve, 300));
        began = performance.now();
        server.process.kill(signal);
      }
      await server.exited;
      return performance.now() - began;
    });
  });
}
