// The processes of a server on this machine: the supervisor, and the launcher that would start it again. A process id that somebody else has by now,
// or in another namespace of processes, is told from them by the data directory's lock.
import { readdirSync, readFileSync, statSync, type Stats } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { DirectoryInUse, openDataDirectory } from '../../supervisor/data_directory.ts';
import { startOf } from '../../supervisor/workers/proc.ts';
import { CommandError } from '../failure.ts';

const POLL_MS = 20;

const announcementSchema = z.object({
  pid: z.int().positive(),
  started: z.string().nullable().default(null),
  supervisor_pid: z.int().positive().optional(),
  url: z.string(),
  agent: z.string().optional(),
});
/** What server.json says. */
export type Announcement = z.infer<typeof announcementSchema>;

/** null where there is none, or none that can be understood. */
export async function announcementIn(dataDir: string): Promise<Announcement | null> {
  try {
    return announcementSchema.parse(JSON.parse(await readFile(join(dataDir, 'server.json'), 'utf8')));
  } catch {
    return null;
  }
}

/** Whether any server has the data directory: what a killed one has left behind names no server, whoever has its address or process id now. */
export async function isHeld(dataDir: string): Promise<boolean> {
  try {
    (await openDataDirectory(dataDir)).close();
    return false;
  } catch (error) {
    if (error instanceof DirectoryInUse) return true;
    throw error;
  }
}

export class ServerProcess {
  /** The one that signals are for. */
  readonly pid: number;
  /** Whether it is known to have the data directory's lock, or to be the launcher of the one that had it last. */
  readonly hasLock = process.platform === 'linux';
  /** Process id → when it was started, by which another one of this number is told from it. The launcher, which starts the other again, is first. */
  readonly #starts: ReadonlyMap<number, string>;

  private constructor(pids: readonly [number, ...number[]]) {
    this.pid = pids[0];
    this.#starts = new Map(pids.map((pid) => [pid, startOf(pid) ?? '']));
  }

  /**
   * Where `hasLock` is false, the caller makes sure that somebody has the lock of the data directory.
   * @returns null where it cannot be told for certain that they are this machine's and the server's
   */
  static of(dataDir: string, { pid, started, supervisor_pid: announced = pid }: Announcement): ServerProcess | null {
    const isOne = (each: number): boolean => !isGone(each);
    if (process.platform !== 'linux') return [pid, announced].every(isOne) ? new ServerProcess([pid, announced]) : null;
    // The supervisor may be another by now, that has not announced itself yet.
    const holder = [announced, ...childrenOf(pid)].find((each) => hasOpen(each, join(dataDir, 'lock.db')));
    // A launcher may be about to start the server again.
    if (holder === undefined) return pid !== announced && started !== null && startOf(pid) === started && isOne(pid) ? new ServerProcess([pid]) : null;
    if (holder === pid) return new ServerProcess([pid]);
    return parentOf(holder) === pid ? new ServerProcess([pid, holder]) : new ServerProcess([holder]);
  }

  /** QUIT is for the launcher, which passes the order on; KILL for all of them. @throws CommandError where this user may not */
  signal(signal: 'SIGQUIT' | 'SIGKILL'): void {
    const living = this.#living();
    for (const pid of signal === 'SIGQUIT' ? living.slice(0, 1) : living) {
      try {
        process.kill(pid, signal);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code !== 'ESRCH') throw new CommandError(`process ${pid} cannot be ended with ${signal}: ${code}`, { cause: error });
      }
    }
  }

  /** @returns whether all of them are gone, as soon as they are @param timeoutMs how long they may take */
  async isGoneIn(timeoutMs: number): Promise<boolean> {
    const deadline = performance.now() + timeoutMs;
    while (this.#living().length > 0) {
      if (performance.now() > deadline) return false;
      await sleep(POLL_MS);
    }
    return true;
  }

  #living(): number[] {
    return [...this.#starts].filter(([pid, start]) => !isGone(pid) && (startOf(pid) ?? '') === start).map(([pid]) => pid);
  }
}

/** One that has ended and that its parent has not waited for is gone. */
function isGone(pid: number): boolean {
  if (process.platform === 'linux') return /^[ZX]/.test(factsOf(pid)[0] ?? 'X');
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

function parentOf(pid: number): number {
  return Number(factsOf(pid)[1]);
}

/** From the state on: state, parent, … (proc_pid_stat(5), 3 and following); the name before may hold anything. */
function factsOf(pid: number): string[] {
  const stat = read(`/proc/${pid}/stat`);
  return stat === '' ? [] : stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** None with a kernel that was built without CONFIG_PROC_CHILDREN. */
function childrenOf(pid: number): number[] {
  return Array.from(read(`/proc/${pid}/task/${pid}/children`).matchAll(/\d+/g), ([child]) => Number(child));
}

/** False where this user may not know. */
function hasOpen(pid: number, path: string): boolean {
  try {
    const wanted = statSync(path);
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).some((fd) => isSame(wanted, statSync(join(folder, fd), { throwIfNoEntry: false })));
  } catch {
    return false;
  }
}

function isSame(one: Stats, other: Stats | undefined): boolean {
  return one.dev === other?.dev && one.ino === other.ino;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
