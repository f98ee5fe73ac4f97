// An MCP server over stdio that dies, hangs, or does not want to end.
import { readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { callTool, captureLog, connected, openServers, SCRIPTED, type OpenedServers } from '../../../../helpers/mcp.ts';
import { isAlive } from '../../../../helpers/processes.ts';
import { makeFolder } from '../../../../helpers/folder.ts';
import { nothingIsLeft } from '../../../../helpers/leftovers.ts';
import { waitFor } from '../../../../helpers/wait_for.ts';

const pidOf = ({ pids }: OpenedServers): number => pids()[0] as number;
const isOld = (opened: OpenedServers, pid: number): Promise<true> => waitFor('another process', () => opened.pids().length === 1 && pidOf(opened) !== pid);

t.test('a process that is killed in mid-call: the call is an error at once, and another process takes its place', async (t) => {
  const lines = captureLog(t);
  const opened = await openServers(t, { s: { ...SCRIPTED, timeout_ms: 60_000 } });
  const { tools } = opened.servers;
  const pid = pidOf(opened);
  const began = performance.now();
  const calls = Array.from({ length: 5 }, () => callTool(tools, 's__wait'));
  await callTool(tools, 's__echo', { text: 'so they have arrived' });
  process.kill(pid, 'SIGKILL');
  for (const outcome of await Promise.all(calls)) t.strictSame(outcome, { content: 'The MCP server s was ended by SIGKILL.', isError: true });
  t.ok(performance.now() - began < 5000);
  await isOld(opened, pid);
  await connected(opened);
  t.equal(opened.servers.tools, tools, 'it lists what it did: the array is the same');
  t.strictSame(await callTool(tools, 's__echo', { text: 'again' }), { content: 'again', isError: false });
  t.strictSame(opened.story, ['connecting', 'connected', 'down: was ended by SIGKILL', 'connecting: was ended by SIGKILL', 'connected']);
  t.strictSame(lines, ['warn MCP server s: was ended by SIGKILL', 'info MCP server s: connected again']);
});

t.test('a call to a server that is down brings it back at once', async (t) => {
  captureLog(t);
  const opened = await openServers(t, { s: SCRIPTED });
  const { tools } = opened.servers;
  await waitFor('it to have been connected for a while', async () => {
    const began = performance.now();
    await waitFor('a second', () => performance.now() - began > 1000);
    return true;
  });
  t.strictSame(await callTool(tools, 's__die'), { content: 'The MCP server s ended (exit code 3).', isError: true });
  const outcomes = await Promise.all([1, 2, 3].map((text) => callTool(tools, 's__echo', { text: String(text) })));
  t.strictSame(outcomes.map(({ content }) => content), ['1', '2', '3']);
  t.equal(opened.pids().length, 1, 'one process for all of them');
});

t.test('a server that does not come back is down, with the reason; its tools stay listed, and each call says so at once', async (t) => {
  const lines = captureLog(t);
  const script = SCRIPTED.args[0] as string;
  const folder = await makeFolder(t, { 'server.mjs': await readFile(script, 'utf8') });
  const copy = join(folder, 'server.mjs');
  const opened = await openServers(t, { s: { command: process.execPath, args: [copy] } });
  const { tools } = opened.servers;
  await rename(copy, `${copy}.away`);
  process.kill(pidOf(opened), 'SIGKILL');
  const down = { name: 's', state: 'down', error: 'ended (exit code 1)' } as const;
  await waitFor('the first failure', () => JSON.stringify(opened.states()) === JSON.stringify([down]));
  t.equal(opened.servers.tools, tools);
  t.strictSame(await callTool(tools, 's__echo', { text: 'x' }), { content: 'The MCP server s is down.', isError: true });
  await rename(`${copy}.away`, copy);
  await connected(opened);
  t.equal(opened.servers.tools, tools);
  t.strictSame(await callTool(tools, 's__echo', { text: 'x' }), { content: 'x', isError: false });
  const told = lines.filter((line) => line.startsWith('warn MCP server s: ended (exit code 1)'));
  t.equal(told.length, 1, 'the same reason is logged once, however often it fails');
});

t.test('a server that hangs: its calls end in their time, and when it does not answer a ping either, another takes its place', async (t) => {
  captureLog(t);
  const opened = await openServers(t, { s: { ...SCRIPTED, timeout_ms: 300 } });
  const { tools } = opened.servers;
  const pid = pidOf(opened);
  process.kill(pid, 'SIGSTOP');
  t.strictSame(await callTool(tools, 's__echo', { text: 'x' }), { content: 'The tool s__echo took longer than 0.3 s.', isError: true });
  await waitFor('its end', () => !isAlive(pid), 30_000);
  await connected(opened);
  t.strictSame(await callTool(tools, 's__echo', { text: 'again' }), { content: 'again', isError: false });
});

t.test('a server that was only slow goes on as it is', async (t) => {
  captureLog(t);
  const opened = await openServers(t, { s: { ...SCRIPTED, timeout_ms: 300 } });
  const { tools } = opened.servers;
  const pid = pidOf(opened);
  t.strictSame(await callTool(tools, 's__wait'), { content: 'The tool s__wait took longer than 0.3 s.', isError: true });
  t.strictSame(await callTool(tools, 's__echo', { text: 'x' }), { content: 'x', isError: false });
  t.match(await callTool(tools, 's__cancelled'), { content: /took longer/ });
  t.equal(pidOf(opened), pid);
  t.strictSame(opened.story, ['connecting', 'connected']);
});

t.test('a close ends a process that ignores it, and the processes that it has started itself, within a second', async (t) => {
  captureLog(t);
  const opened = await openServers(t, { s: { ...SCRIPTED, env: { STUBBORN: '1', CHILD: '1' } } });
  const { pid, child } = JSON.parse((await callTool(opened.servers.tools, 's__about')).content) as { pid: number; child: number };
  t.strictSame([isAlive(pid), isAlive(child)], [true, true]);
  const began = performance.now();
  await opened.servers.close();
  t.ok(performance.now() - began < 1000);
  await waitFor('their end', () => !isAlive(pid) && !isAlive(child), 1000);
  t.match(await callTool(opened.servers.tools, 's__echo', { text: 'x' }), { content: 'The MCP server s is down.', isError: true });
});

t.test('a process that dies takes along those that it has started, and what holds its pipes does not hide its end', async (t) => {
  captureLog(t);
  const opened = await openServers(t, { s: { ...SCRIPTED, env: { CHILD: '1' } } });
  const { child } = JSON.parse((await callTool(opened.servers.tools, 's__about')).content) as { child: number };
  t.strictSame(await callTool(opened.servers.tools, 's__die'), { content: 'The MCP server s ended (exit code 3).', isError: true });
  await waitFor('the end of its child', () => !isAlive(child));
});

t.test('a message without end is the end of the connection', async (t) => {
  captureLog(t);
  const opened = await openServers(t, { s: SCRIPTED });
  const outcome = await callTool(opened.servers.tools, 's__big', { units: 17 * 1024 * 1024 });
  t.strictSame(outcome, { content: 'The MCP server s sent a message that is too large.', isError: true });
});

nothingIsLeft(t);
