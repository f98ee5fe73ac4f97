// A worker's thread and the line to it: a piscina pool of one thread, whose one task lasts as long as the thread serves.
import { getCompileCacheDir } from 'node:module';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { FIRST_CLAIM_CELL, type ServeTask, type SupervisorFrame, type WorkerFrame } from '../../shared/protocol.ts';
import { holdProcesses } from './held_processes.ts';
import { threadIds } from './proc.ts';

/** Files that threads and processes start with have the extension of ours: .ts in a checkout, .js in the package. */
export const EXTENSION = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
const WORKER_FILE = new URL(`../../worker/chat/main${EXTENSION}`, import.meta.url).href;

const YOUNG_GENERATION_MB = 16;

/** Everything a worker is started with. */
export type WorkerSettings = Omit<ServeTask, 'line' | 'shared'> & { readonly heapMb: number };

/** What all workers of a generation are started with. */
export type GenerationSettings = Omit<WorkerSettings, 'modules'>;

export interface WorkerThread {
  /** See BEAT_CELL and FIRST_CLAIM_CELL. */
  readonly shared: Int32Array;
  /** Resolves with the reason when the task has ended, however it did. Frames that were sent before may still arrive. */
  readonly ended: Promise<string>;
  /** Sends a frame with the others of this turn of the event loop. */
  post(frame: SupervisorFrame): void;
  /**
   * Terminates the thread; from now on no frame is given to `take` or leaves. Resolves when the thread and its processes are gone, which a blocking
   * call can delay. Never rejects.
   */
  destroy(): Promise<void>;
}

/** @throws the system's error where there is no thread to be had */
export function startThread({ heapMb, ...task }: WorkerSettings, take: (frame: WorkerFrame) => void): WorkerThread {
  const memory = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT * (FIRST_CLAIM_CELL + task.concurrency));
  const { port1: line, port2 } = new MessageChannel();
  let open = true;
  const receive = (frames: readonly WorkerFrame[]): void => {
    for (let i = 0; i < frames.length; i++) {
      const frame = frames[i] as WorkerFrame;
      if (frame.type === 'mcps') processes.tell(frame.pids);
      if (open) take(frame);
    }
  };
  line.on('message', receive);
  const { pool, threads } = startPool(heapMb, task.baseEnv);
  // Without a listener an error of an idle thread would end the process; the end of the task below tells the same.
  pool.on('error', () => undefined);
  let closed = false;
  const ended = pool.run({ ...task, line: port2, shared: memory }, { transferList: [port2] }).then(
    () => {
      closed = true;
      return 'the worker closed';
    },
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );

  let outbox: SupervisorFrame[] = [];
  const flush = (): void => {
    const frames = outbox;
    outbox = [];
    if (open) line.postMessage(frames);
  };

  /** What is no news of processes is lost, once the thread is made to end. */
  const readUnread = (): void => {
    for (let unread = receiveMessageOnPort(line); unread !== undefined; unread = receiveMessageOnPort(line)) receive(unread.message);
  };
  const end = async (): Promise<void> => {
    open = false;
    const gone = pool.destroy().catch(() => undefined);
    await (closed ? gone : processes.watch(gone));
    await processes.end();
    line.close();
  };
  /** Once only: a second destroy() of piscina's ends before the thread does, and the thread's end then starts another, which nobody would end. */
  let destroyed: Promise<void> | undefined;
  const destroy = (): Promise<void> => (destroyed ??= end());
  const processes = holdProcesses(threads, readUnread, () => void destroy());
  return {
    shared: new Int32Array(memory),
    ended,
    post(frame) {
      outbox.push(frame);
      if (outbox.length === 1) setImmediate(flush);
    },
    destroy,
  };
}

/** A pool of one thread, which runs. @returns also the ids that the system knows it by */
function startPool(heapMb: number, baseEnv: ServeTask['baseEnv']): { readonly pool: Piscina<ServeTask, void>; readonly threads: readonly number[] } {
  const before = new Set(threadIds());
  const pool = new Piscina<ServeTask, void>({
    filename: WORKER_FILE,
    minThreads: 1,
    maxThreads: 1,
    concurrentTasksPerWorker: 1,
    idleTimeout: Number.POSITIVE_INFINITY,
    // The default freezes the event loop of a worker whose task is waiting, timers and heartbeat with it.
    atomics: 'disabled',
    recordTiming: false,
    // The agent's environment travels as data: a Worker's `env` is the thread's own, and NODE_OPTIONS in it would be obeyed.
    env: threadEnv(baseEnv),
    // A young generation that V8 sizes by itself grows to 85 MB a worker under load, for no measurable gain.
    resourceLimits: { maxOldGenerationSizeMb: heapMb, maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
  });
  // When the thread breaks, the pool would start another that nobody needs; where the system has none to give, that error would be nobody's either.
  pool.options.minThreads = 0;
  return { pool, threads: threadIds().filter((id) => !before.has(id)) };
}

/** The thread's own environment, which the agent never sees: without options that would be obeyed, and with the cache of compiled code. */
function threadEnv({ NODE_OPTIONS: _, ...env }: Readonly<Record<string, string>>): Record<string, string> {
  const cache = getCompileCacheDir();
  return cache === undefined ? env : { ...env, NODE_COMPILE_CACHE: cache };
}
