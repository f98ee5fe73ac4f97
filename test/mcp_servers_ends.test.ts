// However a server ends, short of SIGKILL, no process of its MCP servers is left: also of those that ignore the end of their input and SIGTERM.
import t from 'tap';
import { makeFolder } from './helpers/folder.ts';
import { nothingIsLeft } from './helpers/leftovers.ts';
import { LAUNCHER, spawnProcess } from './helpers/process.ts';
import { commandOf, descendantsOf, isAlive } from './helpers/processes.ts';
import { serve } from './helpers/serve.ts';
import { waitFor } from './helpers/wait_for.ts';

const NODE = process.execPath;

const heldBy = (pid: number | undefined): readonly number[] => descendantsOf(pid as number).filter((each) => /stdio_server|sleep 1000/.test(commandOf(each)));
const areGone = (pids: readonly number[]) => waitFor('the end of all', () => !pids.some(isAlive), 5000);

t.test('QUIT and a second INT end them', async (t) => {
  for (const signal of ['SIGQUIT', 'SIGINT'] as const) {
    const { process: child, exited } = await serve(t, 'mcp_scripted', { env: { NODE, GIVEN: 'x' } });
    const held = heldBy(child.pid);
    t.equal(held.length, 3, 'two servers, of which one has a child');
    await waitFor('the end', () => child.exitCode !== null || (child.kill(signal), false));
    t.strictSame(await exited, { code: 0, signal: null });
    await areGone(held);
  }
});

const COMMANDS = ['serve', 'check'];

t.test('a start that is not in time names the servers that it waited for, and leaves none', async (t) => {
  for (const command of COMMANDS) {
    const words = [command, 'mcp_silent', '--config-root', 'test/fixtures', '--workers', '1', '--data-dir', await makeFolder(t)];
    const { process: child, exited, output } = spawnProcess(NODE, [LAUNCHER, ...words], { env: { NODE, BOOT_TIMEOUT_SECONDS: '6', LOG_LEVEL: 'error' } });
    const held = await waitFor('its processes', () => {
      const found = heldBy(child.pid);
      return found.length === 3 && found;
    });
    t.equal((await exited).code, 78);
    t.match(output.stderr, /the agent did not load within 6 s \(BOOT_TIMEOUT_SECONDS\); it still waited for the MCP server hang\n$/);
    await areGone(held);
  }
});

t.test('a signal during the start ends them', async (t) => {
  for (const signal of ['SIGTERM', 'SIGQUIT'] as const) {
    const words = ['serve', 'mcp_silent', '--config-root', 'test/fixtures', '--workers', '1', '--port', '0', '--data-dir', await makeFolder(t)];
    const { process: child, exited } = spawnProcess(NODE, [LAUNCHER, ...words], { env: { NODE, LOG_LEVEL: 'error' } });
    const held = await waitFor('its processes', () => {
      const found = heldBy(child.pid);
      return found.length === 3 && found;
    });
    child.kill(signal);
    await exited;
    await areGone(held);
  }
});

nothingIsLeft(t);
