// Watches files for changes: by their folders, so that files are followed that editors write anew under the same name, and those that are yet to come.
import { realpathSync, statSync, watch, type FSWatcher, type Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';

/** So long nothing more may come, before a change is told: an editor writes a file in several steps, and a release many files. */
const DEBOUNCE_MS = 200;
/** What goes on changing is told all the same, so often. */
const LONGEST_DEBOUNCE_MS = 2000;
/** A folder that has vanished is looked for so often. */
const LOOK_AGAIN_MS = 1000;

export interface WatchedFiles {
  /**
   * These, and no others, from now on. The same again: links on the way to them are followed anew.
   * @param files absolute paths, there or not
   * @param readSince when it was begun to read those that were not watched, in ms since 1970: what was written after that counts as a change
   */
  set(files: Iterable<string>, readSince?: number): void;
  close(): void;
}

/** By folder, the names that count in it, each with the path that it was asked for. */
type Places = ReadonlyMap<string, ReadonlyMap<string, string>>;

/**
 * Never keeps the process alive. Where the system gives no watch on a folder, its files are looked at once a second.
 * @param onChange told of one of the files that have changed, once for all that change at about the same time
 */
export function watchFiles(onChange: (file: string) => void): WatchedFiles {
  let wanted: Places = new Map();
  /** What watches each of the wanted folders, or waits to. */
  const watches = new Map<string, FolderWatch>();
  /** What a file was when it was last looked at: an event that changes nothing is none. */
  const states = new Map<string, string>();
  const touched = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let touchedSince = 0;
  let isClosed = false;

  const look = async (): Promise<void> => {
    const files = [...touched];
    touched.clear();
    let changed: string | undefined;
    for (const file of files) {
      const state = stateOf(await stat(file).catch(() => undefined));
      const known = states.get(file);
      if (known === undefined || known === state) continue;
      states.set(file, state);
      changed ??= file;
    }
    // It may not be wanted any more, now that all have been looked at.
    if (changed !== undefined && states.has(changed)) onChange(changed);
  };
  const touch = (files: Iterable<string>): void => {
    const now = performance.now();
    if (touched.size === 0) touchedSince = now;
    for (const file of files) touched.add(file);
    clearTimeout(timer);
    timer = setTimeout(() => void look(), Math.min(DEBOUNCE_MS, Math.max(0, touchedSince + LONGEST_DEBOUNCE_MS - now))).unref();
  };

  return {
    set(files, readSince = Number.POSITIVE_INFINITY) {
      if (isClosed) return;
      const asked = new Set(files);
      wanted = placesOf(asked);
      for (const file of states.keys()) if (!asked.has(file)) states.delete(file);
      /** Those that may change before their folder is watched, or have another one now. */
      const fresh = new Set([...asked].filter((file) => !states.has(file)));
      // At once: what is written while a later look is on its way would be taken for what it was from the start.
      for (const file of fresh) states.set(file, stateNow(file, readSince));
      for (const [folder, { close }] of watches) {
        if (wanted.has(folder)) continue;
        close();
        watches.delete(folder);
      }
      for (const [folder, names] of wanted) {
        if (watches.has(folder)) continue;
        for (const file of names.values()) fresh.add(file);
        watches.set(folder, watchFolder(folder, (name) => {
          const now = wanted.get(folder);
          const file = now?.get(name ?? '');
          if (name === null) touch(now?.values() ?? []);
          else if (file !== undefined) touch([file]);
        }));
      }
      if (fresh.size > 0) touch(fresh);
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
      states.clear();
      for (const { close } of watches.values()) close();
      watches.clear();
    },
  };
}

interface FolderWatch {
  readonly close: () => void;
}

/**
 * Watches a folder, and looks for it again where it is not there, or not any more. Never throws.
 * @param onEvent told of a name in it; null: it may be any, as when the folder has come back
 */
function watchFolder(folder: string, onEvent: (name: string | null) => void): FolderWatch {
  let watcher: FSWatcher | undefined;
  let timer: NodeJS.Timeout | undefined;
  const close = (): void => {
    watcher?.close();
    watcher = undefined;
    clearTimeout(timer);
  };
  const lookLater = (): void => {
    close();
    timer = setTimeout(() => {
      open();
      onEvent(null);
    }, LOOK_AGAIN_MS).unref();
  };
  const open = (): void => {
    try {
      watcher = watch(folder, { persistent: false }, (event, name) => {
        onEvent(name);
        // Its own name is told when it is moved or removed: the folder may be another one now.
        if (event === 'rename' && name === basename(folder)) lookLater();
      });
      watcher.on('error', lookLater);
    } catch {
      lookLater();
    }
  };
  open();
  return { close };
}

/** A file that is behind links is at two places: a link may be turned, or what it leads to be written. */
function placesOf(files: Iterable<string>): Places {
  const places = new Map<string, Map<string, string>>();
  for (const file of files) {
    for (const path of new Set([file, realPath(file)])) {
      const names = places.get(dirname(path)) ?? new Map<string, string>();
      places.set(dirname(path), names.set(basename(path), file));
    }
  }
  return places;
}

/** Behind links; a file that is not there is where it is said to be. */
function realPath(file: string): string {
  try {
    return realpathSync.native(file);
  } catch {
    return file;
  }
}

/** @returns what no file ever is, where it was written after it was read */
function stateNow(file: string, readSince: number): string {
  try {
    const found = statSync(file);
    return found.mtimeMs > readSince ? 'unread' : stateOf(found);
  } catch {
    return stateOf(undefined);
  }
}

/** What tells one state of a file from another; the same for all that is not there. */
function stateOf(found: Stats | undefined): string {
  return found === undefined ? 'none' : `${found.ino} ${found.size} ${found.mtimeMs}`;
}
