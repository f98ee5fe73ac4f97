// Tries a version of the agent in a process of its own before it is let into this one, which a thread that runs out of memory can abort: whether it loads,
// and whether it answers the message of its smoke test.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LoadFailure } from '../../shared/agent/load_error.ts';
import type { GenerationModules, LogFrameLevel } from '../../shared/protocol.ts';
import { killTree } from './kill_tree.ts';
import { EXTENSION, type GenerationSettings } from './thread.ts';

const PROCESS_FILE = fileURLToPath(new URL(`./trial_process${EXTENSION}`, import.meta.url));

/** What the process may take beside the agent, on a machine that has other things to do. */
const PROCESS_LIMIT_MS = 5000;
/** What a process dies of that has no memory left: V8 aborts, or the kernel kills. */
const DEATHS_OF_MEMORY: readonly (NodeJS.Signals | null)[] = ['SIGABRT', 'SIGTRAP', 'SIGKILL'];

/** To the process. */
export interface Trial {
  readonly settings: GenerationSettings;
  readonly bootTimeoutMs: number;
}

/** A line of the agent's. */
export interface Said {
  readonly level: LogFrameLevel;
  readonly text: string;
}

/** Its one answer; it ends when the channel to it does. */
export interface Tried {
  /** null: the agent has loaded, and has answered where it is to. */
  readonly failure: LoadFailure | null;
  /** The agent's files as far as its worker has told them; absolute paths. */
  readonly files: readonly string[];
  /** What was tried, so that nothing else is let in. */
  readonly modules: GenerationModules<ArrayBuffer>;
  /** What the agent has logged or printed last, where it failed. */
  readonly said: readonly Said[];
}

/**
 * Loads the agent in one worker of another process, with the same heap cap and the environment that workers have, and runs its smoke test there. What the
 * agent says meanwhile is told where that fails, and else to nobody.
 * @param nodeOptions NODE_OPTIONS of this process
 * @param signal gives it up at once
 * @returns once the process is gone
 * @throws an error where it was given up, or the system's error where no process can be started
 */
export async function tryVersion(trial: Trial, nodeOptions: string, signal: AbortSignal): Promise<Tried> {
  signal.throwIfAborted();
  const child = fork(PROCESS_FILE, {
    // Which of both would have the debugger's port?
    execArgv: process.execArgv.filter((option) => !option.startsWith('--inspect')),
    env: environmentOf(trial.settings.baseEnv, nodeOptions),
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    // Leads a group: what it has started is ended with it, and no Ctrl-C is for it.
    detached: true,
  });
  let tried: Tried | undefined;
  child.once('message', (message) => {
    tried = message as Tried;
    child.disconnect();
  });
  const exited = once(child, 'exit', { signal });
  // Waited for below; where no process was started it has none to send to.
  exited.catch(() => undefined);
  child.on('error', () => undefined);
  if (child.connected) child.send(trial, () => undefined);
  const kill = (): void => killTree(child.pid);
  let isLate = false;
  const limit = setTimeout(() => {
    isLate = true;
    kill();
  }, 2 * trial.bootTimeoutMs + PROCESS_LIMIT_MS);
  signal.addEventListener('abort', kill);
  try {
    const [code, death] = await exited;
    return tried ?? { failure: failureOf(trial, isLate, code, death), files: [], modules: { read: [], found: [] }, said: [] };
  } finally {
    clearTimeout(limit);
    signal.removeEventListener('abort', kill);
  }
}

/** As the threads of workers have it (thread.ts), whose compiled code it shares: each level of processes and threads has a folder in that of the one above. */
function environmentOf({ NODE_OPTIONS: _, ...env }: Readonly<Record<string, string>>, nodeOptions: string): Record<string, string> {
  const cache = getCompileCacheDir();
  return { ...env, ...(nodeOptions !== '' && { NODE_OPTIONS: nodeOptions }), ...(cache !== undefined && { NODE_COMPILE_CACHE: dirname(cache) }) };
}

function failureOf({ settings, bootTimeoutMs }: Trial, isLate: boolean, code: number | null, death: NodeJS.Signals | null): LoadFailure {
  const how = death ?? `exit code ${code}`;
  const message = isLate
    ? `the agent did not load within ${bootTimeoutMs / 1000} s (BOOT_TIMEOUT_SECONDS)`
    : `the version ended the process that tried it (${how})${DEATHS_OF_MEMORY.includes(death) ? ', as running out of memory does' : ''}`;
  return { message, file: settings.agentFile, line: null };
}
