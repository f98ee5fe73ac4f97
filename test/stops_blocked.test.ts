// The ends of a server, and of a reload, while a worker is inside a call that nothing interrupts.
import t, { type Test } from 'tap';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from './helpers/folder.ts';
import { send, stream } from './helpers/http_client.ts';
import { startServer, type StartedServer } from './helpers/process.ts';
import { adminTokenOf, bearer } from './helpers/tokens.ts';

/** Far longer than any of these ends may take, whatever else the machine does. */
const CALL_S = 60;
const LIMIT_MS = 20_000;

const AGENT = `
import { execSync } from 'node:child_process';
import { DatabaseSync } from 'node:sqlite';
export default async function* ({ message }) {
  yield 'going';
  await new Promise((resolve) => setTimeout(resolve, 100));
  if (message === 'shell') execSync('sleep ${CALL_S}');
  if (message === 'native') new DatabaseSync(':memory:').exec('WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n');
}
`;
const BLOCKS_AT_IMPORT = `import { execSync } from 'node:child_process';\nexecSync('sleep ${CALL_S}');\n${AGENT.replace('import { execSync } from \'node:child_process\';', '')}`;

interface Served extends StartedServer {
  /** Writes another version of the agent's file. */
  write(text: string): Promise<void>;
}

async function serveBlocking(t: Test): Promise<Served> {
  const folder = await makeFolder(t, { 'agents/blocking.mjs': AGENT });
  const env = { DRAIN_TIMEOUT_SECONDS: '1', BOOT_TIMEOUT_SECONDS: '5' };
  const server = await startServer({ agent: 'blocking', args: ['--config-root', folder, '--host', '127.0.0.1', '--workers', '2'], env, launcher: true });
  t.teardown(() => server.stop());
  return { ...server, write: (text) => writeFile(join(folder, 'agents/blocking.mjs'), text) };
}

for (const call of ['shell', 'native']) {
  t.test(`TERM while a worker is inside a blocking call (${call}): its interaction is told, and the end does not wait`, async (t) => {
    const server = await serveBlocking(t);
    const running = await stream(server.url, { message: call });
    await running.until('text');
    const began = performance.now();
    server.process.kill('SIGTERM');
    await running.ended;
    t.match(running.events.at(-1)?.content, { type: 'error', error: { code: 'shutting_down' } });
    t.strictSame(await server.exited, { code: 0, signal: null });
    t.ok(performance.now() - began < LIMIT_MS);
  });
}

t.test('a version that blocks when it is imported is refused at its limit, and the next one is not held up', async (t) => {
  const server = await serveBlocking(t);
  const headers = bearer(await adminTokenOf(server));
  const restart = () => send(server.url, '/restart', { method: 'POST', headers });
  await server.write(BLOCKS_AT_IMPORT);
  const began = performance.now();
  t.match(await restart(), { status: 500, json: { code: 'RELOAD_FAILED', detail: /BOOT_TIMEOUT_SECONDS/ } });
  await server.write(AGENT);
  t.match(await restart(), { status: 200, json: { generation: 2 } });
  t.ok(performance.now() - began < LIMIT_MS);
});

t.test('TERM during a reload whose version blocks gives it up', async (t) => {
  const server = await serveBlocking(t);
  const headers = bearer(await adminTokenOf(server));
  await server.write(BLOCKS_AT_IMPORT);
  const refused = send(server.url, '/restart', { method: 'POST', headers });
  refused.catch(() => undefined);
  await send(server.url, '/health');
  const began = performance.now();
  server.process.kill('SIGTERM');
  t.strictSame(await server.exited, { code: 0, signal: null });
  t.ok(performance.now() - began < LIMIT_MS);
});
