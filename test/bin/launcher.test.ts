// The launcher finds a Node that is recent enough and stands for it: arguments, exit codes, signals.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, symlink } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import t, { type Test } from 'tap';
import { makeFolder } from '../helpers/folder.ts';
import { LAUNCHER, spawnProcess } from '../helpers/process.ts';
import { descendantsOf, isAlive } from '../helpers/processes.ts';
import { waitFor } from '../helpers/wait_for.ts';

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const;

/** Stands for the command: tells what it was started with, then what each signal does to it. */
const CLI = `
const { execPath, argv, env, pid } = process;
const started = JSON.stringify({ execPath, args: argv.slice(2), variables: Object.keys(env).filter((name) => name.startsWith('OAI')), pid });
const [mode, code] = argv.slice(2);
if (mode === 'exit') process.exitCode = Number(code);
else setInterval(() => {}, 1000);
let interrupts = 0;
if (mode === 'count') process.on('SIGINT', () => (interrupts += 1) === 1 && setTimeout(() => { console.log('interrupts: ' + interrupts); process.exit(0); }, 400));
if (mode === 'listen') for (const signal of ${JSON.stringify(SIGNALS)}) process.on(signal, () => { console.log('got ' + signal); process.exit(40); });
console.log(started);
`;

/** A Node of this machine that is too old for the server; null where there is none. */
function findOldNode(): string | null {
  const folders = ['/usr/bin', '/usr/local/bin', ...(process.env['PATH'] ?? '').split(delimiter)];
  const isOld = (file: string) => /^v(1[89]|2[0-3])\./.test(existsSync(file) ? execFileSync(file, ['--version'], { encoding: 'utf8' }) : '');
  return folders.map((folder) => join(folder, 'node')).find(isOld) ?? null;
}

const oldNode = findOldNode();
const withOldNode = oldNode === null ? { skip: 'no older Node on this machine' } : {};

/** A package as npm installs it, whose command is `CLI`; `nodeAt` is where its Node is linked. */
async function makePackage(t: Test, nodeAt: string | null): Promise<string> {
  const launcher = await readFile(LAUNCHER, 'utf8');
  const files = { 'package.json': '{"type":"module"}', 'bin/oai-agent-server.js': launcher, 'dist/bin/cli.js': CLI };
  const folder = await makeFolder(t, files);
  if (nodeAt !== null) await link(process.execPath, join(folder, nodeAt));
  return folder;
}

async function link(target: string, path: string): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true });
  await symlink(target, path);
}

/** Starts the package's launcher under `node` and waits for the command's first line. */
async function launch(t: Test, node: string | null, launcher: string, ...args: string[]) {
  const launched = spawnProcess(node ?? process.execPath, [launcher, ...args], { cwd: '/' });
  t.teardown(() => launched.process.kill('SIGKILL'));
  const line = await waitFor('the command to start', () => launched.output.stdout.includes('\n') && launched.output.stdout);
  return { ...launched, started: JSON.parse(line.split('\n')[0] ?? '') as { execPath: string; args: string[]; variables: string[]; pid: number } };
}

t.test('a Node that is recent enough runs the command itself', async (t) => {
  const folder = await makePackage(t, null);
  const { started, process: launcher, exited } = await launch(t, process.execPath, join(folder, 'bin/oai-agent-server.js'), 'exit', '7');
  t.equal(started.pid, launcher.pid);
  t.strictSame(await exited, { code: 7, signal: null });
});

t.test('an older Node hands over to the one that npm installed, with its arguments, and ends with its exit code', withOldNode, async (t) => {
  const { platform, arch } = process;
  for (const place of ['.bin/node', `node-${platform}-${arch}/bin/node`, `node-bin-${platform}-${arch}/bin/node`]) {
    const folder = await makePackage(t, join('node_modules', place));
    const { started, exited } = await launch(t, oldNode, join(folder, 'bin/oai-agent-server.js'), 'exit', '7', '--a b');
    t.match(started, { execPath: process.execPath, args: ['exit', '7', '--a b'], variables: [] });
    t.strictSame(await exited, { code: 7, signal: null });
  }
});

t.test('a Node is also found from the link that the launcher was called by', withOldNode, async (t) => {
  const folder = await makePackage(t, null);
  const project = await makeFolder(t);
  await link(join(folder, 'bin/oai-agent-server.js'), join(project, 'node_modules/.bin/oai-agent-server'));
  await link(process.execPath, join(project, 'node_modules/.bin/node'));
  const { exited } = await launch(t, oldNode, join(project, 'node_modules/.bin/oai-agent-server'), 'exit', '0');
  t.strictSame(await exited, { code: 0, signal: null });
});

t.test('without a Node that is recent enough it says so in one line and exits 1', withOldNode, async (t) => {
  const folder = await makePackage(t, null);
  await link(oldNode ?? '', join(folder, 'node_modules/.bin/node'));
  const { output, exited } = spawnProcess(oldNode ?? '', [join(folder, 'bin/oai-agent-server.js')], { cwd: '/' });
  t.strictSame(await exited, { code: 1, signal: null });
  t.match(output.stderr, /^oai-agent-server: expected Node\.js 24\.15 or newer, this is v[^\n]+\n$/);
});

t.test('a signal to the launcher reaches the command, whose exit code it ends with', withOldNode, async (t) => {
  const folder = await makePackage(t, 'node_modules/.bin/node');
  for (const signal of SIGNALS) {
    const { process: launcher, output, exited } = await launch(t, oldNode, join(folder, 'bin/oai-agent-server.js'), 'listen');
    launcher.kill(signal);
    t.strictSame(await exited, { code: 40, signal: null });
    t.match(output.stdout, `got ${signal}\n`);
  }
});

t.test('a command that a signal ends takes the launcher with it, and is not left behind', withOldNode, async (t) => {
  const folder = await makePackage(t, 'node_modules/.bin/node');
  const { started, process: launcher, exited } = await launch(t, oldNode, join(folder, 'bin/oai-agent-server.js'), 'wait');
  t.not(started.pid, launcher.pid);
  launcher.kill('SIGTERM');
  t.strictSame(await exited, { code: null, signal: 'SIGTERM' });
  t.notOk(isAlive(started.pid));
});

t.test('a server is not left behind by a launcher that is killed', withOldNode, async (t) => {
  const folder = await makeFolder(t, { 'agents/hello.yaml': 'name: hello\nsystem_prompt: You say hello.\nmodel: { provider: offline }\n' });
  const words = [LAUNCHER, 'hello', '--host', '127.0.0.1', '--port', '0', '--workers', '1'];
  const { process: launcher, output } = spawnProcess(oldNode ?? '', words, { cwd: folder, launcher: true });
  t.teardown(() => launcher.kill('SIGKILL'));
  await waitFor('the ready line', () => output.stdout.includes(' ready on '), 30_000);
  const others = descendantsOf(launcher.pid as number);
  t.equal(others.length, 2);
  launcher.kill('SIGKILL');
  await waitFor('the others to be gone', () => !others.some(isAlive));
});

const withTerminal = existsSync('/usr/bin/script') ? withOldNode : { skip: 'no script(1) to make a terminal with' };

t.test('a Ctrl-C at the terminal reaches the command once', withTerminal, async (t) => {
  const folder = await makePackage(t, 'node_modules/.bin/node');
  const command = `exec ${oldNode} ${join(folder, 'bin/oai-agent-server.js')} count`;
  const terminal = spawnProcess('/usr/bin/script', ['-qec', command, '/dev/null'], { stdin: null });
  t.teardown(() => terminal.process.kill('SIGKILL'));
  await waitFor('the command to start', () => terminal.output.stdout.includes('\n'));
  terminal.process.stdin?.write('\x03');
  t.match(await terminal.exited, { code: 0 });
  t.match(terminal.output.stdout, 'interrupts: 1');
});
