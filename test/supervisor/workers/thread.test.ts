// A worker's thread and the processes that it holds.
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { BEAT_CELL } from '../../../shared/protocol.ts';
import { readDefinitions } from '../../../supervisor/workers/read_definitions.ts';
import { startThread, type WorkerThread } from '../../../supervisor/workers/thread.ts';
import { makeFolder } from '../../helpers/folder.ts';
import { nothingIsLeft } from '../../helpers/leftovers.ts';
import { PROJECT } from '../../helpers/process.ts';
import { commandOf, descendantsOf, isAlive } from '../../helpers/processes.ts';
import { waitFor } from '../../helpers/wait_for.ts';
import { settingsOf } from '../../helpers/worker_settings.ts';

const held = (): readonly number[] => descendantsOf(process.pid).filter((pid) => /stdio_server|sleep 1000/.test(commandOf(pid)));

/** Without a turn of the event loop, so that nothing is read meanwhile. */
function blockUntil(condition: () => boolean): void {
  const deadline = performance.now() + 20_000;
  while (!condition() && performance.now() < deadline) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
}

t.test('processes that it has told of end with it, also where nobody has read that yet', async (t) => {
  const file = join(PROJECT, 'test/fixtures/agents/mcp_silent.yaml');
  const { definition, usedDefinitions } = await readDefinitions(file, join(PROJECT, 'test/fixtures'));
  const baseEnv = { NODE: process.execPath, PATH: process.env['PATH'] ?? '' };
  const taken: string[] = [];
  const thread = startThread(settingsOf('mcp_silent.yaml', { definition, usedDefinitions, baseEnv }), ({ type }) => void taken.push(type));
  t.teardown(() => thread.destroy());
  await turn();
  blockUntil(() => held().length === 3);
  const pids = held();
  t.teardown(() => pids.filter(isAlive).forEach((pid) => process.kill(pid, 'SIGKILL')));
  t.equal(pids.length, 3, 'two servers, of which one has a child');
  const beats = Atomics.load(thread.shared, BEAT_CELL);
  blockUntil(() => Atomics.load(thread.shared, BEAT_CELL) > beats + 1);
  await thread.destroy();
  await waitFor('their end', () => !pids.some(isAlive));
  t.strictSame(taken, [], 'nothing else of it is told any more');
});

/** A thread whose agent starts `sleep` as it is loaded, and what else `code` does. */
async function startWithSleep(t: Test, code: string): Promise<{ thread: WorkerThread; taken: readonly string[]; sleep: number }> {
  const mark = `1000.${process.pid}`;
  const start = `import { spawn } from 'node:child_process';\nspawn('sleep', ['${mark}'], { stdio: 'ignore', detached: true });\n`;
  const agentFile = join(await makeFolder(t, { 'agent.mjs': start + code }), 'agent.mjs');
  const taken: string[] = [];
  const thread = startThread(settingsOf('', { agentFile }), ({ type }) => void taken.push(type));
  t.teardown(() => thread.destroy());
  const sleep = await waitFor('its process', () => descendantsOf(process.pid).find((pid) => commandOf(pid).includes(mark)), 30_000);
  t.teardown(() => isAlive(sleep) && process.kill(sleep, 'SIGKILL'));
  return { thread, taken, sleep };
}

t.test('a process that it had no time to tell of ends where the thread is made to end', async (t) => {
  const { thread, taken, sleep } = await startWithSleep(t, 'for (;;);');
  await thread.destroy();
  t.strictSame(taken, []);
  await waitFor('its end', () => !isAlive(sleep));
});

t.test('what the agent has started to go on by itself outlives a thread that has closed', async (t) => {
  const { thread, taken, sleep } = await startWithSleep(t, 'export default { name: "a", async *chat() {} };');
  await waitFor('the agent', () => taken.includes('ready'), 30_000);
  thread.post({ type: 'close' });
  t.equal(await thread.ended, 'the worker closed');
  await thread.destroy();
  t.ok(isAlive(sleep));
});

nothingIsLeft(t);
