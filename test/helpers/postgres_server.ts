// A real PostgreSQL of a test's own, on a free port, that can be frozen, killed and brought back; nothing of it stays on disk.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, chownSync, constants, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import pg from 'pg';
import type { Test } from 'tap';
import { descendantsOf, isAlive } from './processes.ts';
import { waitFor } from './wait_for.ts';

const PASSWORD = 'open-sesame';
/**
 * Of sh, with the directory as $0: ends PostgreSQL and its children, frozen or not, when its own input ends, as it does with this process however that
 * ends.
 */
const WATCH = 'cat > /dev/null; p=$(head -n 1 "$0/cluster/postmaster.pid") && kill -9 $p $(cat /proc/$p/task/$p/children); rm -rf "$0"';

export interface PostgresServer {
  readonly port: number;
  /** Of database `postgres`, with user and password. */
  readonly url: string;
  /** Of the process that runs, or ran last. */
  readonly pid: number;
  /** Its directory, owned by the user that it runs as. */
  readonly directory: string;
  /** Asks on a connection of its own. @returns the rows */
  // eslint-disable-next-line typescript/no-explicit-any -- rows are whatever was asked for
  query(sql: string, values?: readonly unknown[]): Promise<any[]>;
  /** Every process of it goes on to hold its connections, and answers nothing, until `resume`. */
  freeze(): void;
  resume(): void;
  /** Ends every process of it with SIGKILL; what was committed is there after `start`. */
  kill(): Promise<void>;
  /** Ends it as its administrator does who does not wait for clients: each connection is told, and closed. */
  shutDown(): Promise<void>;
  /** Starts it again after `kill` or `shutDown`, on the same port. */
  start(): Promise<void>;
  /** Ends it, frozen or not, and removes its directory. May be called again. */
  stop(): Promise<void>;
}

interface PostgresOptions {
  /** Settings, as in postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Files of its directory, made before it starts, readable by it alone. */
  readonly files?: Readonly<Record<string, string>>;
}

/** Resolves when it answers. Whoever starts it stops it; it does not outlive this process. */
export async function startPostgres({ settings = {}, files = {} }: PostgresOptions = {}): Promise<PostgresServer> {
  const binaries = findBinaries();
  if (binaries === null) throw new Error('there is no PostgreSQL on this machine');
  const user = serverUser();
  const port = await freePort();
  const url = `postgres://postgres:${PASSWORD}@127.0.0.1:${port}/postgres`;
  const directory = mkdtempSync(join(tmpdir(), 'oai-postgres-'));
  const write = (name: string, text: string): void => {
    writeFileSync(join(directory, name), text, { mode: 0o600 });
    if (user !== null) chownSync(join(directory, name), user.uid, user.gid);
  };
  if (user !== null) chownSync(directory, user.uid, user.gid);
  for (const [name, text] of Object.entries({ password: PASSWORD, ...files })) write(name, text);

  let server: ChildProcess | undefined;
  let output = '';
  /** By way of env(1): tap puts itself into every child that a test spawns, as NODE_OPTIONS. */
  const run = (binary: string, args: readonly string[]): ChildProcess => {
    const words = ['-i', `PATH=${process.env['PATH']}`, 'LC_ALL=C', join(binaries, binary), ...args];
    const child = spawn('/usr/bin/env', words, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'], ...user });
    output = '';
    const keep = (text: string): void => void (output = (output + text).slice(-10_000));
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', keep);
    return child;
  };
  const pid = (): number => server?.pid ?? 0;
  const isRunning = (): boolean => server !== undefined && server.exitCode === null && server.signalCode === null;
  const signalAll = (name: NodeJS.Signals): readonly number[] => {
    if (!isRunning()) return [];
    // The first of them first: from then on it starts no other.
    signal(pid(), name === 'SIGKILL' ? 'SIGSTOP' : name);
    const children = descendantsOf(pid());
    for (const child of [...children, pid()]) signal(child, name);
    return children;
  };
  const atExit = (): void => {
    signalAll('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  };
  process.on('exit', atExit);
  const watch = ['-i', `PATH=${process.env['PATH']}`, 'sh', '-c', WATCH, directory];
  const watcher = spawn('/usr/bin/env', watch, { stdio: ['pipe', 'ignore', 'ignore'], detached: true });

  const query: PostgresServer['query'] = async (sql, values = []) => {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return (await client.query(sql, [...values])).rows;
    } finally {
      await client.end();
    }
  };
  const kill = async (): Promise<void> => {
    if (!isRunning() || server === undefined) return;
    const closed = once(server, 'close');
    const children = signalAll('SIGKILL');
    await closed;
    await waitFor('the end of PostgreSQL', () => !children.some(isAlive));
  };
  const shutDown = async (): Promise<void> => {
    if (!isRunning() || server === undefined) return;
    const closed = once(server, 'close');
    signal(pid(), 'SIGINT');
    await closed;
  };
  const stop = async (): Promise<void> => {
    // A fast stop would write a checkpoint of what is thrown away.
    await kill();
    process.off('exit', atExit);
    if (watcher.exitCode === null && watcher.signalCode === null) {
      process.kill(-(watcher.pid ?? 0), 'SIGKILL');
      await once(watcher, 'close');
    }
    rmSync(directory, { recursive: true, force: true });
  };
  const start = async (): Promise<void> => {
    const all = { port, listen_addresses: '127.0.0.1', unix_socket_directories: '', fsync: 'off', ...settings };
    server = run('postgres', ['-D', join(directory, 'cluster'), ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])]);
    await waitFor(`postgres on port ${port}`, async () => {
      if (!isRunning()) throw new Error(`postgres has ended: ${output}`);
      return query('SELECT 1').catch(() => null);
    }, 30_000);
  };

  try {
    const words = ['-D', 'cluster', '-U', 'postgres', '-A', 'scram-sha-256', '--pwfile', 'password', '--no-locale', '-E', 'UTF8', '--no-sync'];
    const [code] = (await once(run('initdb', words), 'close')) as [number | null];
    if (code !== 0) throw new Error(`initdb has failed: ${output}`);
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    port,
    url,
    directory,
    get pid() {
      return pid();
    },
    query,
    freeze: () => void signalAll('SIGSTOP'),
    resume: () => void signalAll('SIGCONT'),
    kill,
    shutDown,
    start,
    stop,
  };
}

/**
 * Starts one for this test, which ends with it. Where there is no PostgreSQL the test is skipped, and fails where CI is set:
 * `const postgres = await postgresOrSkip(t); if (postgres === null) return;`
 */
export async function postgresOrSkip(t: Test, options: PostgresOptions = {}): Promise<PostgresServer | null> {
  if (findBinaries() === null) {
    const text = 'NOT TESTED: there is no PostgreSQL on this machine';
    if (process.env['CI']) t.fail(text);
    else t.pass(text, { skip: text });
    return null;
  }
  const postgres = await startPostgres(options);
  t.teardown(() => postgres.stop());
  return postgres;
}

/** Where initdb and postgres are; Debian keeps them off the PATH. */
function findBinaries(): string | null {
  const debian = globSync('/usr/lib/postgresql/*/bin/initdb').toSorted((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...debian.map((file) => dirname(file))];
  return folders.find((folder) => ['initdb', 'postgres'].every((name) => isExecutable(join(folder, name)))) ?? null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** PostgreSQL refuses to run as root. null: it runs as who we are. */
function serverUser(): { readonly uid: number; readonly gid: number } | null {
  if (process.getuid?.() !== 0) return null;
  const users = new Map(readFileSync('/etc/passwd', 'utf8').split('\n').map((line) => [line.split(':')[0], line.split(':')]));
  const entry = users.get('postgres') ?? users.get('nobody');
  if (entry === undefined) throw new Error('PostgreSQL does not run as root, and there is no user postgres or nobody');
  return { uid: Number(entry[2]), gid: Number(entry[3]) };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** To one that may have ended meanwhile. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
