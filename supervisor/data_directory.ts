// The data directory: made for this user alone, owned by one server at a time, and where clients on this machine find the server.
import { rmSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StartError } from './start_error.ts';
import { startOf } from './workers/proc.ts';

/** A server has it, and its lock. */
export class DirectoryInUse extends StartError {}

export interface DataDirectory {
  /** Path of a file in it. */
  file(name: string): string;
  /** Tells clients on this machine where the server is. */
  announce(url: string, agent: string): Promise<void>;
  /** Gives it up. */
  close(): void;
}

/**
 * Makes the directory and takes its lock, which ends with the process however that ends.
 * @param pid of the process that signals are for: this one, or its launcher
 * @throws StartError when another server has it, or when it cannot be written
 */
export async function openDataDirectory(path: string, pid = process.pid): Promise<DataDirectory> {
  const file = (name: string): string => join(path, name);
  try {
    // The mode of a directory that was there before is its owner's business.
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new StartError(1, `the data directory ${path} cannot be used: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  }
  const lock = await takeLock(path, file, pid);
  let isAnnounced = false;
  return {
    file,
    announce(url, agent) {
      isAnnounced = true;
      const announcement = { pid, started: startOf(pid), supervisor_pid: process.pid, url, agent };
      return writeFile(file('server.json'), JSON.stringify(announcement), { mode: 0o600 });
    },
    close() {
      // By now somebody else may have it.
      if (!lock.isOpen) return;
      // Of a start that failed it is the one before's: by it a launcher is found that goes on trying.
      if (isAnnounced) rmSync(file('server.json'), { force: true });
      rmSync(file('pid'), { force: true });
      lock.close();
    },
  };
}

/** SQLite's exclusive lock is a lock of the operating system: a process that is killed has none any more. */
async function takeLock(path: string, file: (name: string) => string, pid: number): Promise<DatabaseSync> {
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(file('lock.db'));
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; CREATE TABLE IF NOT EXISTS lock (taken INTEGER); COMMIT;');
  } catch (error) {
    lock?.close();
    if (!isBusy(error)) throw new StartError(1, `the data directory ${path} cannot be used: ${error instanceof Error ? error.message : String(error)}`);
    const other = await readFile(file('pid'), 'utf8').catch(() => 'unknown');
    throw new DirectoryInUse(1, `the data directory ${path} is in use by the server with pid ${other}; choose another with --data-dir`);
  }
  await writeFile(file('pid'), String(pid), { mode: 0o600 });
  return lock;
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && (error.errcode === 5 || error.errcode === 6);
}
