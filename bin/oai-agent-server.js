#!/usr/bin/env node
// Starts the command under a Node that can run it: this one, else one that npm installed with the project. Plain JavaScript that an older Node can parse.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import module from 'node:module';
import { dirname, join } from 'node:path';
import { isatty } from 'node:tty';
import { fileURLToPath } from 'node:url';

const [MIN_MAJOR, MIN_MINOR] = [24, 15];
/** Set for a Node that this launcher chose, so that it never chooses twice. Taken out again at once, as the next: nothing else may see them. */
const CHOSEN = 'OAI_AGENT_SERVER_NODE_CHOSEN';
/** Set for the process that is the server itself: started by a launcher, or to do without one. */
const LAUNCHED = 'OAI_AGENT_SERVER_LAUNCHED';
/** Whatever else stands first is an agent, or an option of its server. */
const OTHER_COMMANDS = ['check', 'chat', 'tokens', 'status', 'restart', 'kill', '-h', '--help', '-v', '--version'];

const launcher = fileURLToPath(import.meta.url);
const [chosen, launched] = [CHOSEN, LAUNCHED].map((name) => process.env[name] !== undefined);
for (const name of [CHOSEN, LAUNCHED]) delete process.env[name];

if (isRecent(process.versions.node)) {
  module.enableCompileCache?.();
  const args = process.argv.slice(2);
  if (launched || args.length === 0 || OTHER_COMMANDS.includes(args[0])) await import(ours('cli'));
  else (await import(ours('keeper'))).keep(launcher, args, chosen && process.connected !== undefined);
} else {
  const node = chosen ? undefined : candidates().find(runs);
  if (node === undefined) {
    console.error(`oai-agent-server: expected Node.js ${MIN_MAJOR}.${MIN_MINOR} or newer, this is ${process.version}, and none is installed beside the project (npm ci brings one)`);
    process.exit(1);
  }
  runWith(node);
}

/** Where a module of this folder is: in a checkout, or as it was built. */
function ours(name) {
  const source = new URL(`./${name}.ts`, import.meta.url);
  return (existsSync(source) ? source : new URL(`../dist/bin/${name}.js`, import.meta.url)).href;
}

function isRecent(version) {
  const [major, minor] = version.split('.').map(Number);
  return major > MIN_MAJOR || (major === MIN_MAJOR && minor >= MIN_MINOR);
}

/** Where npm puts a Node, seen from the launcher and from the link it was called by, nearest first. */
function candidates() {
  const { platform, arch } = process;
  const names = platform === 'win32'
    ? [`node-win-${arch}/bin/node.exe`]
    : ['.bin/node', `node-${platform}-${arch}/bin/node`, `node-bin-${platform}-${arch}/bin/node`];
  const folders = new Set([process.argv[1] ?? launcher, launcher].flatMap((file) => ancestors(dirname(file))));
  return [...folders].flatMap((folder) => names.map((name) => join(folder, 'node_modules', name))).filter(isAnother);
}

function ancestors(folder) {
  const parent = dirname(folder);
  return parent === folder ? [folder] : [folder, ...ancestors(parent)];
}

function isAnother(file) {
  return existsSync(file) && realpathSync(file) !== realpathSync(process.execPath);
}

/** Asked, not guessed from its path: it may be too old, or made for another C library. */
function runs(node) {
  try {
    const version = execFileSync(node, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 10_000 });
    return isRecent(version.trim().slice(1));
  } catch {
    return false;
  }
}

/**
 * Becomes a process of that Node, which runs this file again. Where this Node cannot (process.execve came with 22.15 and 23.11), it stands for one: passes
 * signals on to it, and ends as it does. A server then has a third process, as only the newer Node can hold its socket; a channel, on which nothing is
 * said, tells it when this process has gone.
 */
function runWith(node) {
  const args = [...process.execArgv, launcher, ...process.argv.slice(2)];
  const env = { ...process.env, [CHOSEN]: '1', ...(launched && { [LAUNCHED]: '1' }) };
  if (process.execve !== undefined && process.platform !== 'win32') process.execve(node, [node, ...args], env);
  // A terminal sends Ctrl-C to both processes: passed on as well it would count as the second one, which means "at once".
  const onTerminal = [0, 1, 2].some((fd) => isatty(fd));
  // Before the child is there: a signal that comes meanwhile is handled after it.
  process.on('SIGINT', () => onTerminal || child.kill('SIGINT'));
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGQUIT']) process.on(signal, () => child.kill(signal));
  // Without a listener Node opens its inspector.
  process.on('SIGUSR1', () => {});

  const child = spawn(node, args, { stdio: launched ? 'inherit' : ['inherit', 'inherit', 'inherit', 'ipc'], env });
  child.on('error', (error) => {
    console.error(`oai-agent-server: ${node} does not start: ${error.message}`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
