// The processes that an agent's MCP servers run in: known from their start, as the SDK starts more of them than it tells of, and ended in time.
import { AsyncLocalStorage } from 'node:async_hooks';
import type { ChildProcess } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';

/** The protocol's order of an end (Lifecycle, Shutdown), within the second that a worker has to close. */
const TERMINATE_AFTER_MS = 300;
const KILL_AFTER_MS = 700;
/** A process that this does not end hangs in the kernel; nobody waits for it. */
const GIVE_UP_AFTER_MS = 900;

type Watch = (child: ChildProcess) => void;

const watches = new AsyncLocalStorage<Watch>();
let subscribed = false;

/**
 * Does some work, and tells `watch` of every process that it starts, before the process has run. Of a server over stdio the client starts two: a first
 * one only to ask for its version of the protocol, which no object of the SDK holds on to.
 */
export function watchProcesses<T>(watch: Watch, work: () => T): T {
  if (!subscribed) {
    subscribed = true;
    // Built into Node: published by the constructor of ChildProcess (diagnostics_channel, Built-in Channels, Child process).
    subscribe('child_process', (message) => watches.getStore()?.((message as { readonly process: ChildProcess }).process));
  }
  return watches.run(watch, work);
}

export function hasEnded({ pid, exitCode, signalCode }: ChildProcess): boolean {
  return pid === undefined || exitCode !== null || signalCode !== null;
}

/** Ends those whose stdin is closed and that go on. Resolves when they have ended, or cannot be. Never rejects. */
export async function endProcesses(children: readonly ChildProcess[]): Promise<void> {
  await Promise.all(children.filter((child) => !hasEnded(child)).map(async (child) => {
    const over = Promise.withResolvers<void>();
    child.once('exit', () => over.resolve());
    const timers = [
      setTimeout(() => child.kill('SIGTERM'), TERMINATE_AFTER_MS),
      setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS),
      setTimeout(over.resolve, GIVE_UP_AFTER_MS),
    ];
    await over.promise;
    timers.forEach(clearTimeout);
  }));
}
