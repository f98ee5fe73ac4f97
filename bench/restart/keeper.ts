// Keeps the plain server running, as a process manager does: when it has ended, it is started again. HUP to this process stops it.
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const FILE = fileURLToPath(new URL('plain_server.js', import.meta.url));
/** What `docker stop` gives a process; server.close() alone may wait for ever for clients that go on using their connection. */
const KILL_AFTER_MS = 10_000;
let ending = false;
let child = start();

function start(): ChildProcess {
  const started = fork(FILE, [], { execArgv: [] });
  started.once('message', () => process.send?.('ready'));
  started.once('exit', () => {
    if (ending) process.exit(0);
    child = start();
  });
  return started;
}

process.on('SIGHUP', () => {
  const stopped = child;
  stopped.kill('SIGTERM');
  setTimeout(() => stopped.kill('SIGKILL'), KILL_AFTER_MS).unref();
});
process.on('SIGTERM', () => {
  ending = true;
  child.kill('SIGKILL');
});
