// The real command in a process of its own: run to its end, or started as a server and ended by its id.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { waitFor } from './wait_for.ts';

export const PROJECT = resolve(import.meta.dirname, '../..');
export const LAUNCHER = join(PROJECT, 'bin/oai-agent-server.js');

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Output {
  stdout: string;
  stderr: string;
}

export interface SpawnedProcess {
  readonly process: ChildProcess;
  readonly output: Output;
  readonly exited: Promise<Exit>;
}

interface SpawnOptions {
  /** Beside PATH and HOME the child has these variables only. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Whether a `serve` has a launcher, which starts the server again when that dies. Left out: the process is the server itself. */
  readonly launcher?: boolean;
  /** Written to the child's stdin, which then ends. null: it stays open, for the test to write to. Left out: there is none. */
  readonly stdin?: string | null;
}

/**
 * Starts a process and collects what it prints. By way of env(1), which the process then replaces: tap puts itself into every child that a test
 * spawns, as NODE_OPTIONS, and what is tested must not be slowed and patched by it.
 */
export function spawnProcess(command: string, args: readonly string[], { env = {}, cwd = PROJECT, launcher = false, stdin }: SpawnOptions = {}): SpawnedProcess {
  const { PATH = '', HOME = '' } = process.env;
  const variables = Object.entries({ PATH, HOME, ...(launcher ? {} : { OAI_AGENT_SERVER_LAUNCHED: '1' }), ...env }).map(([name, value]) => `${name}=${value}`);
  const child = spawn('/usr/bin/env', ['-i', ...variables, command, ...args], { cwd, stdio: [stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'] });
  const output: Output = { stdout: '', stderr: '' };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  child.stdin?.on('error', () => {});
  if (stdin !== null) child.stdin?.end(stdin);
  const exited = once(child, 'close').then(([code, signal]) => ({ code, signal }) as Exit);
  return { process: child, output, exited };
}

/** Runs the command to its end. */
export async function runCommand(args: readonly string[], options: SpawnOptions = {}): Promise<Exit & Output> {
  const { output, exited } = spawnProcess(process.execPath, [LAUNCHER, ...args], options);
  return { ...(await exited), ...output };
}

export interface StartedServer extends SpawnedProcess {
  readonly url: string;
  readonly dataDir: string;
  /** Sends TERM, waits for the end (KILL after 15 s) and removes the data directory. May be called again. */
  stop(): Promise<Exit>;
}

interface ServerOptions extends SpawnOptions {
  readonly agent: string;
  readonly args?: readonly string[];
}

/** Starts `serve` on a free port with a data directory of its own, and waits for the line that says it is ready. */
export async function startServer({ agent, args = [], ...options }: ServerOptions): Promise<StartedServer> {
  const dataDir = await mkdtemp(join(tmpdir(), 'oai-agent-server-'));
  const words = ['serve', agent, '--port', '0', '--data-dir', dataDir, ...args];
  const spawned = spawnProcess(process.execPath, [LAUNCHER, ...words], options);
  const { process: child, output, exited } = spawned;
  const isRunning = () => child.exitCode === null && child.signalCode === null;

  async function stop(): Promise<Exit> {
    if (isRunning()) child.kill('SIGTERM');
    const killer = setTimeout(() => child.kill('SIGKILL'), 15_000);
    const exit = await exited;
    clearTimeout(killer);
    await rm(dataDir, { recursive: true, force: true });
    return exit;
  }

  try {
    const url = await waitFor('the ready line', () => {
      if (!isRunning()) throw new Error('the server has ended');
      return / ready on (http:\S+)/.exec(output.stdout)?.[1];
    }, 30_000);
    return { ...spawned, url, dataDir, stop };
  } catch (error) {
    await stop();
    throw new Error(`the server did not start: ${output.stdout}${output.stderr}`, { cause: error });
  }
}
