// `status`, `restart` and `kill` against servers that answer as they are told to: which one is meant, what is sent there, what is said of the answer.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { findServer, type FoundServer } from '../../bin/manage/find_server.ts';
import { kill } from '../../bin/manage/kill.ts';
import { restart } from '../../bin/manage/restart.ts';
import { status } from '../../bin/manage/status.ts';
import { AppError } from '../../shared/errors.ts';
import { openDataDirectory } from '../../supervisor/data_directory.ts';
import { answerWith } from '../helpers/answering_server.ts';
import { makeFolder } from '../helpers/folder.ts';
import { nothingIsLeft } from '../helpers/leftovers.ts';
import { runCommand } from '../helpers/process.ts';

const WORKER = { id: 1, generation: 2, state: 'ready', active: 1, served: 41, heap_mb: 33.4, event_loop_lag_ms: 0.26 };
const STATUS = {
  agent_name: 'echo',
  status: 'running',
  is_shutting_down: false,
  uptime: 93_784,
  active_requests: 1,
  queued_requests: 5,
  generation: 2,
  version: '1.2.3',
  node: 'v24.15.0',
  model: { model_id: 'gpt-5-mini', provider: 'openai' },
  workers: [{ ...WORKER, id: 7, generation: 1, state: 'draining' }, WORKER],
  mcps: [
    {
      name: 'files',
      transport: 'stdio',
      per_interaction: false,
      tools: 3,
      workers: { connected: 1, connecting: 0, down: 1 },
      error: 'it has ended\u001b[2J',
    },
    { name: 'mail', transport: 'http', per_interaction: true, tools: null, workers: { connected: 0, connecting: 0, down: 0 }, error: null },
  ],
  logs: { enabled: true, backend: 'postgresql', connected: false, spooled: 12, spool_bytes: 900, lost: 1, dead_letters: 0 },
  store: { backend: 'redis', connected: true },
  last_reload: { ok: false, at: '2026-01-02T03:04:05.678Z', error: 'agents/echo.mjs:1: no' },
};
const TABLE = `\
agent         echo
model         gpt-5-mini (openai)
status        running
url           URL
version       1.2.3, Node.js v24.15.0
generation    2
up            1 d 2 h
interactions  1 active, 5 queued
workers       ID  GENERATION  STATE     ACTIVE  SERVED  HEAP MB  LAG MS
              7   1           draining  1       41      33       0.3
              1   2           ready     1       41      33       0.3
mcps          files: stdio, 3 tools, workers: 1 connected, 1 down; it has ended [2J
              mail: http, one connection an interaction
logs          postgresql, away; 12 spooled, 1 lost
store         redis, connected
last reload   failed, 2026-01-02T03:04:05.678Z: agents/echo.mjs:1: no`;

const at = (url: string, token: string | null = null): FoundServer => ({ url, token, tokenAdvice: 'bring a token', process: null });

function printed() {
  const lines: string[] = [];
  return { lines, print: (line: string): void => void lines.push(line) };
}

const tokenOf = ({ headers }: IncomingMessage): string => headers.authorization ?? 'none';

t.test('status is a table of all that there is, or JSON as it came', async (t) => {
  const url = await answerWith(t, async () => STATUS);
  const table = printed();
  await status(at(url), false, table.print);
  t.equal(table.lines.join('\n'), TABLE.replace('URL', url));
  const json = printed();
  await status(at(url), true, json.print);
  t.strictSame(json.lines, [JSON.stringify(STATUS)]);
});

t.test('a server that takes no work is shown, and then an error', async (t) => {
  for (const [change, reason] of [
    [{ is_shutting_down: true, status: 'shutting_down' }, 'it is being stopped'],
    [{ workers: [{ ...WORKER, state: 'booting' }, { ...WORKER, generation: 1 }] }, 'none of its workers is ready'],
  ] as const) {
    const url = await answerWith(t, async () => ({ ...STATUS, ...change }));
    const { lines, print } = printed();
    await t.rejects(status(at(url), false, print), { exitCode: 1, message: `${url} is not ready: ${reason}` });
    t.match(lines[0], /^agent +echo$/);
  }
});

t.test('status is asked for without a token, where the server does not take the one that is known', async (t) => {
  const asked: string[] = [];
  const url = await answerWith(t, async (request) => {
    asked.push(tokenOf(request));
    if (asked.length === 1) throw new AppError('UNAUTHORIZED');
    return STATUS;
  });
  await status(at(url, 'old'), true, () => undefined);
  t.strictSame(asked, ['Bearer old', 'none']);
});

t.test('what is refused, cannot be reached or is no server of ours says so', async (t) => {
  const refusing = await answerWith(t, async () => Promise.reject(new AppError('UNAUTHORIZED')));
  await t.rejects(restart(at(refusing), () => undefined), { exitCode: 1, message: /refuses: .+ \(UNAUTHORIZED\): bring a token$/ });
  const other = await answerWith(t, async () => ({ hello: 'world' }));
  const message = `${other} answers otherwise than expected: it is no server of this version`;
  await t.rejects(status(at(other), true, () => undefined), { exitCode: 1, message });
  const breaking = await answerWith(t, async (request) => void request.socket.destroy());
  await t.rejects(restart(at(breaking), () => undefined), { exitCode: 1, message: /^cannot reach http:\S+: UND_ERR_SOCKET$/ });
  const sending = await answerWith(t, async (_request: IncomingMessage, response: ServerResponse) => {
    response.statusCode = 302;
    response.setHeader('location', `${other}/status`);
  });
  await t.rejects(status(at(sending, 'secret'), true, () => undefined), { message: `${sending} refuses: status 302` }, 'no redirect is followed');
});

t.test('restart is one line', async (t) => {
  const restarted = { message: 'Server restarted gracefully', agent: 'echo', generation: 3, remaining_requests: 2, ms: 212.4 };
  const answer = { ...restarted, needs_restart: ['KEEP_ALIVE_SECONDS', 'PORT'] };
  const { lines, print } = printed();
  const url = await answerWith(t, async ({ method, url: path }) => (lines.push(`${method} ${path}`), answer));
  await restart(at(url), print);
  t.strictSame(lines, [
    'POST /restart',
    'echo: generation 3 serves after 212 ms; 2 interactions go on with older ones; only a new start takes over KEEP_ALIVE_SECONDS, PORT',
  ]);
  const stopping = await answerWith(t, async () => Promise.reject(new AppError('STOPPING')));
  await t.rejects(restart(at(stopping), print), { exitCode: 1, message: `${stopping} refuses: The server is being stopped. (STOPPING)` });
});

t.test('kill of a server elsewhere: it is gone once nothing answers, or what answers is younger than the order', async (t) => {
  const killed = { message: 'Server killed immediately', agent: 'echo' };
  const { lines, print } = printed();
  const ending = await answerWith(t, async ({ url }, response) => (url === '/kill' ? killed : void response.destroy()));
  await kill(at(ending), print);
  const replaced = await answerWith(t, async ({ url }) => (url === '/kill' ? killed : { ...STATUS, uptime: 0 }));
  await kill(at(replaced), print);
  t.match(lines[0], new RegExp(`^echo at ${ending} is gone after \\d+ ms: POST /kill$`));
  t.match(lines[1], new RegExp(`^echo at ${replaced} is gone after \\d+ ms: POST /kill; another serves in its place$`));
  const staying = await answerWith(t, async ({ url }) => (url === '/kill' ? killed : STATUS));
  await t.rejects(kill(at(staying), print), { exitCode: 1, message: /was told to end, and still answers 5 s later/ });
});

/** A data directory whose lock this process has, and the address that stands in it. */
async function makeServer(t: Test, cwd: string, agent: string): Promise<string> {
  const directory = await openDataDirectory(join(cwd, '.oai-agent-server', agent));
  t.teardown(() => directory.close());
  await writeFile(directory.file('admin-token'), `${agent}-admin-token-of-its-own\n`);
  const url = await answerWith(t, async (request) => ({ ...STATUS, agent_name: `${agent} ${tokenOf(request)}` }));
  await directory.announce(url, agent);
  return url;
}

t.test('the server is found by its data directory, and is sent the admin token that is there', async (t) => {
  const cwd = await makeFolder(t);
  const none = /^oai-agent-server: no server runs in any data directory below \.oai-agent-server: .*\n$/;
  t.match(await runCommand(['status'], { cwd }), { code: 1, stdout: '', stderr: none });
  const first = await makeServer(t, cwd, 'first');
  const nameIn = async (...words: string[]) => {
    const { stdout, stderr } = await runCommand(['status', ...words, '--json'], { cwd });
    return stderr || (JSON.parse(stdout) as typeof STATUS).agent_name;
  };
  t.equal(await nameIn(), 'first Bearer first-admin-token-of-its-own');

  const second = await makeServer(t, cwd, 'second');
  const { code, stderr } = await runCommand(['restart'], { cwd });
  t.equal(code, 1);
  t.match(stderr, /^oai-agent-server: several servers run here: name one with --agent, --data-dir or its URL: [^\n]+\n$/);
  for (const each of [first, second]) t.match(stderr, each);
  t.equal(await nameIn('--agent', 'second'), 'second Bearer second-admin-token-of-its-own');
  t.equal(await nameIn('--data-dir', '.oai-agent-server/first'), 'first Bearer first-admin-token-of-its-own');
  t.equal(await nameIn(second.replace('127.0.0.1', 'localhost')), 'second Bearer second-admin-token-of-its-own', 'by any name of this machine');
  t.match(await nameIn('--agent', 'second', '--data-dir', '.oai-agent-server/first'), /no server of second runs in \.oai-agent-server\/first/);
});

t.test('the admin token goes to no other machine; OAI_TOKEN does', async (t) => {
  const dataDir = await makeFolder(t, { 'admin-token': 'the-admin-token-of-this-one\n' });
  const find = (url: string) => findServer('status', url, { dataDir });
  t.match(await find('http://127.0.0.1:9/'), { url: 'http://127.0.0.1:9', token: 'the-admin-token-of-this-one', process: null });
  t.match(await find('127.0.0.1:9'), { url: 'http://127.0.0.1:9', token: 'the-admin-token-of-this-one' }, 'without a scheme it is http');
  t.match(await find('[::1]:9/a'), { url: 'http://[::1]:9/a' });
  t.match(await find('agents.example:80'), { url: 'http://agents.example', token: null });
  t.match(await find('https://agents.example/a/'), { url: 'https://agents.example/a', token: null });
  process.env['OAI_TOKEN'] = 'made-for-it';
  t.teardown(() => delete process.env['OAI_TOKEN']);
  t.match(await find('https://agents.example'), { token: 'made-for-it' });
});

t.test('a process that has the number of a server, and not its data directory, is not signalled', async (t) => {
  const stranger = spawn('sleep', ['60'], { stdio: 'ignore' });
  const ended = once(stranger, 'exit');
  t.teardown(async () => {
    stranger.kill('SIGKILL');
    await ended;
  });
  const dataDir = await makeFolder(t);
  const { pid } = stranger;
  const announce = (url: string) => writeFile(join(dataDir, 'server.json'), JSON.stringify({ pid, supervisor_pid: pid, url, agent: 'echo' }));
  const url = await answerWith(t, async () => Promise.reject(new AppError('NOT_FOUND')));
  await announce(url);
  const words = ['kill', '--data-dir', dataDir];
  const none = `oai-agent-server: no server runs in ${dataDir}: name its data directory with --data-dir, or its URL\n`;
  t.match(await runCommand(words), { code: 1, stderr: none });

  const directory = await openDataDirectory(dataDir);
  t.teardown(() => directory.close());
  await announce(url);
  const refused = new RegExp(`^oai-agent-server: ${url} refuses: .*\\(NOT_FOUND\\)\n$`);
  t.match(await runCommand(words), { code: 1, stderr: refused }, 'in another namespace of processes');
  t.strictSame([stranger.exitCode, stranger.signalCode], [null, null]);
});

nothingIsLeft(t);
