// A local MCP server: a process of its own, spoken to over its stdin and stdout.
import { deserializeMessage, serializeMessage, type JSONRPCMessage, type Transport } from '@modelcontextprotocol/client';
import { spawn, type ChildProcess, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { errorCode } from '../failure.ts';
import { McpFailure } from './failure.ts';
import { createLineReader } from './line_reader.ts';
import type { StdioTarget } from './target.ts';

/** Most bytes of one message. */
const LARGEST_MESSAGE = 16 * 1024 * 1024;
const LONGEST_LOG_LINE = 2048;
/** The protocol's order of an end (Lifecycle, Shutdown), within the second that a worker has to close. */
const TERMINATE_AFTER_MS = 300;
const KILL_AFTER_MS = 700;
/** A process that this does not end hangs in the kernel; nobody waits for it. */
const GIVE_UP_AFTER_MS = 900;
/** For what a process wrote before it ended. A child of its own that keeps the pipe open does not count. */
const LAST_WORDS_MS = 100;

export interface ProcessWatch {
  started(pid: number): void;
  ended(pid: number): void;
  /** A line that is no message: what the process writes to stderr, or by mistake to stdout. */
  printed(line: string): void;
}

export interface ProcessTransport extends Transport {
  /** How the process came to its end; null while it runs. */
  readonly end: string | null;
}

/**
 * Not the client's own transport, because a command such as npx or uvx is only a wrapper: it signals the wrapper and leaves the server behind
 * (modelcontextprotocol/typescript-sdk#2023). Here the process leads a group, which is signalled as a whole; a Ctrl-C at the terminal, which ends
 * the supervisor gracefully, does not reach it either.
 */
export function createProcessTransport(target: StdioTarget, watch: ProcessWatch): ProcessTransport {
  let child: ChildProcess | null = null;
  let end: string | null = null;
  let closed: Promise<void> | null = null;
  const over = Promise.withResolvers<void>();

  const finish = (): void => {
    if (child === null) return;
    const { pid } = child;
    signalGroup(child, 'SIGKILL');
    for (const stream of child.stdio) stream?.destroy();
    child = null;
    if (pid !== undefined) watch.ended(pid);
    over.resolve();
    transport.onclose?.();
  };

  const start = async (): Promise<void> => {
    const own = launch(target);
    child = own;
    own.stdin.on('error', () => undefined);
    own.stdout.on('data', createLineReader(LARGEST_MESSAGE, (line) => takeMessage(line, transport, watch), () => {
      end ??= 'sent a message that is too large';
      void transport.close();
    }));
    const printed = (line: Buffer) => watch.printed(line.toString('utf8'));
    own.stderr.on('data', createLineReader(LONGEST_LOG_LINE, printed, printed));
    own.once('exit', (code, signal) => {
      end ??= signal === null ? `ended (exit code ${code})` : `was ended by ${signal}`;
      setTimeout(finish, LAST_WORDS_MS);
    });
    own.once('close', finish);
    const spawned = Promise.withResolvers<void>();
    own.once('spawn', spawned.resolve);
    own.once('error', (error) => {
      end ??= launchProblem(target, error);
      spawned.reject(new McpFailure('gone', end));
      finish();
    });
    if (own.pid !== undefined) watch.started(own.pid);
    await spawned.promise;
  };

  const close = async (): Promise<void> => {
    const own = child;
    if (own === null) return;
    own.stdin?.end();
    const timers = [
      setTimeout(() => signalGroup(own, 'SIGTERM'), TERMINATE_AFTER_MS),
      setTimeout(() => signalGroup(own, 'SIGKILL'), KILL_AFTER_MS),
      setTimeout(finish, GIVE_UP_AFTER_MS),
    ];
    await over.promise;
    timers.forEach(clearTimeout);
  };

  const transport: ProcessTransport = {
    get end() {
      return end;
    },
    start,
    send: (message) =>
      new Promise((resolve, reject) => {
        // A pipe breaks before the process is known to have ended; how it did is the better reason.
        const refuse = () => void Promise.race([over.promise, delay(LAST_WORDS_MS * 2)]).then(() => reject(new McpFailure('gone', end ?? 'went away')));
        const stdin = child?.stdin;
        if (stdin == null || !stdin.writable) refuse();
        else stdin.write(serializeMessage(message), (error) => (error == null ? resolve() : refuse()));
      }),
    close: () => (closed ??= close()),
  };
  return transport;
}

/** @throws McpFailure for what Node itself refuses, in words without the value that it refuses */
function launch(target: StdioTarget): ChildProcessWithoutNullStreams {
  const { command, args, cwd, env } = target;
  try {
    return spawn(command, args, { cwd, env, stdio: 'pipe', detached: process.platform !== 'win32', windowsHide: true });
  } catch (error) {
    throw new McpFailure('gone', launchProblem(target, error));
  }
}

/** What is no JSON was printed by mistake; what is JSON but no message is nothing that we could answer. */
function takeMessage(line: Buffer, transport: Transport, watch: ProcessWatch): void {
  const text = line.toString('utf8');
  let message: JSONRPCMessage;
  try {
    message = deserializeMessage(text);
  } catch {
    if (text.trim() !== '') watch.printed(text.slice(0, LONGEST_LOG_LINE));
    return;
  }
  transport.onmessage?.(message);
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    if (process.platform === 'win32') child.kill(signal);
    else process.kill(-child.pid, signal);
  } catch {
    // Nobody is left in the group.
  }
}

function launchProblem({ command }: StdioTarget, error: unknown): string {
  const name = basename(command);
  const code = errorCode(error);
  if (code === 'ENOENT') return `cannot start: there is no ${name === command ? 'command' : 'file'} ${name}`;
  if (code === 'EACCES') return `cannot start: ${name} is not executable`;
  return `cannot start (${code})`;
}
