// The thread that reads the log, as it is started.
import { Worker } from 'node:worker_threads';
import type { QuerySettings } from '../../shared/log_protocol.ts';

/** A worker's file has the extension of ours: .ts in a checkout, .js in the package. */
const EXTENSION = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
const THREAD_FILE = new URL(`../../worker/logs/query${EXTENSION}`, import.meta.url);
/** Enough for the rows of many readers at once, of which each has some 256 KiB or one long row. */
const HEAP_MB = 512;

export function startQueryThread(settings: QuerySettings): Worker {
  return new Worker(THREAD_FILE, {
    workerData: settings,
    // What it needs crosses as data; pg would read PGHOST, PGPASSWORD and the like.
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    name: 'log queries',
  });
}
