// The processes that the bench starts: how each is known to be ready, and how it is ended.
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const READY_TIMEOUT_MS = 30_000;
const END_TIMEOUT_MS = 10_000;

export interface ForkOptions {
  readonly args?: readonly string[];
  /** In the place of the caller's own. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Forks a module of the bench that sends a `ready` message; resolves with the process and that message. */
export async function forkModule(
  file: string,
  children: AsyncDisposableStack,
  { args = [], env }: ForkOptions = {},
): Promise<{ child: ChildProcess; ready: { port?: number } }> {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), args, { execArgv: [], ...(env === undefined ? {} : { env }) });
  children.defer(() => end(child));
  const [ready] = (await Promise.race([once(child, 'message'), endedEarly(child, file)])) as [{ port?: number }];
  return { child, ready };
}

/** Spawns a Node program that prints `ready on http://HOST:PORT`; resolves with the process and its URL. */
export async function spawnServer(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  children: AsyncDisposableStack,
): Promise<{ child: ChildProcess; url: URL }> {
  // Without a launcher, so that the process is the one that is measured.
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...env, OAI_AGENT_SERVER_LAUNCHED: '1' } });
  children.defer(() => end(child));
  const url = await Promise.race([readyLine(child), endedEarly(child, args.join(' '))]);
  return { child, url };
}

/** Spawns another server; resolves when its port takes connections. */
export async function spawnUntilAnswers(command: string, args: readonly string[], port: number, children: AsyncDisposableStack): Promise<void> {
  const child = spawn(command, args, { stdio: 'ignore' });
  children.defer(() => end(child));
  await once(child, 'spawn');
  await Promise.race([takesConnections(port), endedEarly(child, command)]);
}

async function takesConnections(port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    const open = await once(socket, 'connect').then(() => true, () => false);
    socket.destroy();
    if (open) return;
    await delay(20);
  }
}

async function readyLine(child: ChildProcess): Promise<URL> {
  if (child.stdout === null) throw new Error('no stdout to read');
  // The interface stays open: the pipe must be read for as long as the server lives.
  const lines = createInterface({ input: child.stdout });
  return new Promise((resolve) => {
    lines.on('line', (line) => {
      const address = /ready on (http:\S+)/.exec(line)?.[1];
      if (address !== undefined) resolve(new URL(address));
    });
  });
}

async function endedEarly(child: ChildProcess, name: string): Promise<never> {
  const timeout = delay(READY_TIMEOUT_MS, 'was not ready in time', { ref: false });
  const reason = await Promise.race([once(child, 'exit').then(([code, signal]) => `ended with ${code ?? signal}`), timeout]);
  throw new Error(`${name}: ${reason}`);
}

/** Asks the process to end, and makes it after a while. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), END_TIMEOUT_MS);
  await exited;
  clearTimeout(late);
}
