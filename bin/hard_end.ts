// Ends the process for certain, whatever its threads are doing.
import { spawn } from 'node:child_process';

/** How long the threads are given, in seconds, as the shell's `sleep` takes it. */
const GRACE_S = '0.5';

/**
 * Ends this process with `exitCode`, or by SIGKILL half a second later: `process.exit` waits for every thread, and one that is inside a blocking call
 * (execSync, SQLite, native code) cannot be interrupted. The shell that kills is a session of its own, so that no Ctrl-C ends it; it gives up when its
 * stdin closes, which is when this process is gone: so it never hits another process that was given the same id.
 */
export function endNow(exitCode: number): never {
  if (process.platform !== 'win32') {
    const script = `(trap 'kill $!' TERM; sleep ${GRACE_S} & wait $! && kill -9 ${process.pid}) & read -r _; kill $!`;
    const killer = spawn('/bin/sh', ['-c', script], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
    killer.on('error', () => {});
  }
  process.exit(exitCode);
}
