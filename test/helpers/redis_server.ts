// A real Redis of a test's own, on a free port, that can be frozen, killed and brought back; nothing of it is on disk.
import { spawnSync } from 'node:child_process';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import type { Test } from 'tap';
import { spawnProcess, type SpawnedProcess } from './process.ts';
import { waitFor } from './wait_for.ts';

export interface RedisServer {
  readonly port: number;
  readonly url: string;
  /** Of the process that runs, or ran last. */
  readonly pid: number;
  /** Starts it again, empty and on the same port, after its end. */
  start(): Promise<void>;
  /** Ends it in order. May be called again. */
  stop(): Promise<void>;
  /** Ends it with SIGKILL. */
  kill(): Promise<void>;
  /** It goes on to hold its port and connections, and answers nothing, until `resume`. */
  freeze(): void;
  resume(): void;
  /** Kills it and starts it again: empty, on the same port. */
  restart(): Promise<void>;
}

interface RedisOptions {
  /** More words of its command line, such as `--requirepass`. */
  readonly args?: readonly string[];
}

/** Resolves when it answers. Whoever starts it stops it; it does not outlive this process. */
export async function startRedis({ args = [] }: RedisOptions = {}): Promise<RedisServer> {
  const port = await freePort();
  const words = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', tmpdir(), ...args];
  let running: SpawnedProcess;
  let guard: SpawnedProcess;
  const isRunning = (): boolean => running.process.exitCode === null && running.process.signalCode === null;
  const signal = (name: NodeJS.Signals): void => {
    if (isRunning()) running.process.kill(name);
  };
  const end = async (name: NodeJS.Signals): Promise<void> => {
    signal(name);
    // What is frozen takes no other signal before it goes on.
    signal('SIGCONT');
    await running.exited;
    guard.process.kill('SIGKILL');
    await guard.exited;
  };
  const start = async (): Promise<void> => {
    running = spawnProcess('redis-server', words);
    // However this process ends, the guard reads to the end of its input then.
    guard = spawnProcess('sh', ['-c', 'read _; kill -KILL "$1"', 'sh', String(running.process.pid)], { stdin: null });
    await waitFor(`redis-server on port ${port}`, () => {
      if (!isRunning()) throw new Error(`redis-server has ended: ${running.output.stdout}${running.output.stderr}`);
      return answers(port);
    }).catch(async (error: unknown) => {
      await end('SIGKILL');
      throw error;
    });
  };
  const kill = (): Promise<void> => end('SIGKILL');
  await start();
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    get pid() {
      return running.process.pid ?? 0;
    },
    start,
    stop: () => end('SIGTERM'),
    kill,
    freeze: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
    async restart() {
      await kill();
      await start();
    },
  };
}

/**
 * Starts one for this test, which ends with it. Where there is no redis-server the test is skipped, and fails where CI is set:
 * `const redis = await redisOrSkip(t); if (redis === null) return;`
 */
export async function redisOrSkip(t: Test, options: RedisOptions = {}): Promise<RedisServer | null> {
  if (spawnSync('redis-server', ['--version'], { stdio: 'ignore' }).error !== undefined) {
    const text = 'NOT TESTED: there is no redis-server on this machine';
    if (process.env['CI']) t.fail(text);
    else t.pass(text, { skip: text });
    return null;
  }
  const redis = await startRedis(options);
  t.teardown(() => redis.stop());
  return redis;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Whether it answers PING, be it that it asks for a password. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    socket.setTimeout(1000, () => socket.destroy());
    socket.once('data', (data) => {
      resolve(/^(\+PONG|-NOAUTH)/.test(data.toString()));
      socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.once('close', () => resolve(false));
  });
}
