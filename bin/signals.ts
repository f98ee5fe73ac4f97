// What the signals of a running server mean.
import { closeSync, openSync } from 'node:fs';
import { isatty } from 'node:tty';

/** npm, and other programs that stand between the terminal and us, pass a Ctrl-C on that we have had already: so long it counts as the same one. */
const SAME_INTERRUPT_MS = 200;

/** TERM and INT ask for an end; QUIT, or a second INT, is one. */
export function followSignals(askToStop: (reason: string) => void, stopAtOnce: () => void): void {
  const startedOnTerminal = isatty(0);
  let firstInterrupt: number | null = null;
  process.on('SIGTERM', () => askToStop('SIGTERM'));
  process.on('SIGINT', () => {
    firstInterrupt ??= performance.now();
    if (performance.now() - firstInterrupt > SAME_INTERRUPT_MS) stopAtOnce();
    else askToStop('SIGINT');
  });
  process.on('SIGQUIT', stopAtOnce);
  process.on('SIGHUP', () => {
    if (startedOnTerminal && !hasTerminal()) askToStop('SIGHUP');
    else process.stderr.write('oai-agent-server: SIGHUP: this version does not reload, nothing happens\n');
  });
  // Without a listener Node opens its inspector, with which anybody on this machine could run code in the server.
  process.on('SIGUSR1', () => {});
}

/** Whether the process still has a terminal that controls it: after a hang-up there is none to open. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
