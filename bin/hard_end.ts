// Ends the process for certain, whatever its threads are doing.
import { spawn } from 'node:child_process';
import type { Report } from './launcher_protocol.ts';

/** How long the threads are given, in seconds, as the shell's `sleep` takes it: where the end is to be at once … */
const AT_ONCE_S = '0.3';
/** … and where nothing is known to hold them, on a machine that may have other things to do. */
const SOON_S = '3';

/** Ends this process with `exitCode`, or by SIGKILL a third of a second later. */
export function endNow(exitCode: number): never {
  return end(exitCode, AT_ONCE_S);
}

/** Ends this process with `exitCode`, or, where a thread does not let it, by SIGKILL within seconds. */
export function endSoon(exitCode: number): never {
  return end(exitCode, SOON_S);
}

/**
 * `process.exit` waits for every thread, and one that is inside a blocking call (execSync, SQLite, native code) cannot be interrupted. The shell that kills
 * is a session of its own, so that no Ctrl-C ends it; it gives up when its stdin closes, which is when this process is gone: so it never hits another
 * process that was given the same id.
 */
function end(exitCode: number, graceS: string): never {
  // A launcher is to know what to make of a SIGKILL.
  if (process.connected) process.send?.({ type: 'ending', exitCode } satisfies Report, undefined, {}, () => undefined);
  if (process.platform !== 'win32') {
    const script = `(trap 'kill $!' TERM; sleep ${graceS} & wait $! && kill -9 ${process.pid}) & read -r _; kill $!`;
    try {
      spawn('/bin/sh', ['-c', script], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] }).on('error', () => {});
    } catch {
      // Where no process can be started, which is thrown or told as an event, the launcher is left: it kills what has said that it ends.
    }
  }
  process.exit(exitCode);
}
