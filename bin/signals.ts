// What the signals of a running server mean.
import { closeSync, openSync } from 'node:fs';
import { isatty } from 'node:tty';

/** npm, and other programs that stand between the terminal and us, pass a Ctrl-C on that we have had already: so long it counts as the same one. */
const SAME_INTERRUPT_MS = 200;

export interface Orders {
  stop(reason: string): void;
  stopNow(reason: string): void;
  reload(reason: string): void;
}

/** TERM and INT ask for an end; QUIT, or a second INT, is one. HUP reloads, unless it says that the terminal has gone. */
export function followSignals({ stop: askToStop, stopNow: stopAtOnce, reload }: Orders): void {
  const startedOnTerminal = isatty(0);
  let firstInterrupt: number | null = null;
  process.on('SIGTERM', () => askToStop('SIGTERM'));
  process.on('SIGINT', () => {
    firstInterrupt ??= performance.now();
    if (performance.now() - firstInterrupt > SAME_INTERRUPT_MS) stopAtOnce('a second SIGINT');
    else askToStop('SIGINT');
  });
  process.on('SIGQUIT', () => stopAtOnce('SIGQUIT'));
  process.on('SIGHUP', () => {
    if (startedOnTerminal && !hasTerminal()) askToStop('SIGHUP');
    else reload('SIGHUP');
  });
  // Without a listener Node opens its inspector, with which anybody on this machine could run code in the server.
  process.on('SIGUSR1', () => {});
}

/**
 * For a process whose launcher gives the orders: a terminal signals both, and what the launcher makes of that is what counts. Only a TERM or QUIT for
 * this process itself is obeyed.
 */
export function leaveSignals({ stop, stopNow }: Orders): void {
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGQUIT', () => stopNow('SIGQUIT'));
  for (const signal of ['SIGINT', 'SIGHUP', 'SIGUSR1'] as const) process.on(signal, () => {});
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
