// The launcher of a server: it holds the socket, starts the supervisor, and starts it again when it dies of what it cannot survive.
import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import { HeldSocket } from './held_socket.ts';
import { LAUNCHED, type Order, type Report } from './launcher_protocol.ts';
import { Systemd } from './systemd.ts';
import { followSignals } from './signals.ts';

const FIRST_BACKOFF_MS = 100;
const LAST_BACKOFF_MS = 30_000;
/** A supervisor that was ready for so long is started again without delay. */
const SOUND_AFTER_MS = 2000;
/** So long a supervisor may take that was told to end at once; the signal that follows needs no event loop. */
const KILL_AFTER_MS = 700;
/**
 * So long, by its own shell (bin/hard_end.ts), a supervisor may take that has said that it ends. The shell may be what could not be started, and
 * `process.exit` waits for every thread.
 */
const END_AFTER_MS = 6000;
/** A supervisor that has said nothing for so long after it was told to stop is blocked: telling it again is an end at once. */
const UNANSWERED_MS = 2000;

/**
 * Runs the launcher's file again as the supervisor, in a process of its own, until it ends as it was asked to. This process does nothing else, so that
 * nothing in it can fail.
 * @param launcher path of the file @param args its arguments
 * @param hasStandIn whether the parent is an older Node that stands for this process and holds a channel to it: what it stands for ends with it
 */
export function keep(launcher: string, args: readonly string[], hasStandIn: boolean): void {
  new Keeper(launcher, args).start(hasStandIn);
}

class Keeper {
  readonly #launcher: string;
  readonly #args: readonly string[];
  readonly #held = new HeldSocket();
  readonly #systemd = new Systemd();
  #child: ChildProcess | undefined;
  /** Whether any supervisor has been ready: what kept the first from it would keep the next. */
  #served = false;
  #readyAt: number | null = null;
  #backoffMs = 0;
  /** Set once the end of the supervisor is the end of this process. */
  #ending = false;
  /** Of the supervisor that runs: the exit code that it has said it ends with. */
  #saidCode: number | null = null;
  /** When it was first told to stop; null once it has said that it does. */
  #unansweredSince: number | null = null;

  constructor(launcher: string, args: readonly string[]) {
    this.#launcher = launcher;
    this.#args = args;
  }

  start(hasStandIn: boolean): void {
    const stop = (reason: string): void => this.#stop(reason);
    followSignals({ stop, stopNow: (reason) => this.#stopNow(reason), reload: (reason) => this.#order({ type: 'reload', reason }) });
    if (hasStandIn) {
      if (process.connected === false) process.exit(0);
      process.on('disconnect', () => stop('the launcher has gone'));
    }
    // Whoever read them may have left, as a terminal does that is closed.
    process.stderr.on('error', () => {});
    // A debugger is for the supervisor, which has the same options and would find the port taken.
    if (process.features.inspector) process.getBuiltinModule('node:inspector').close();
    this.#spawn();
  }

  #spawn(): void {
    this.#readyAt = null;
    this.#saidCode = null;
    try {
      // Before its own listener is there, a SIGUSR1 would open the inspector.
      const child = spawn(process.execPath, ['--disable-sigusr1', ...process.execArgv, this.#launcher, ...this.#args], {
        stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
        env: { ...process.env, [LAUNCHED]: '1' },
      });
      this.#child = child;
      child.on('message', (report) => this.#take(report as Report));
      child.on('error', (error) => {
        if (child.pid === undefined) this.#notStarted(error);
      });
      child.on('exit', (code, signal) => this.#ended(code, signal));
    } catch (error) {
      // Some failures of the system are thrown, such as ENOMEM; others are told as an event.
      this.#notStarted(error as Error);
    }
  }

  #notStarted(error: Error): void {
    process.stderr.write(`oai-agent-server: the server's process cannot be started: ${error.message}\n`);
    this.#ended(1, null);
  }

  #take(report: Report): void {
    switch (report.type) {
      case 'bind':
        this.#giveSocket(report.host, report.port);
        return;
      case 'ready':
        this.#served = true;
        this.#readyAt = performance.now();
        this.#systemd.ready('serving');
        return;
      case 'reloading':
        this.#systemd.reloading();
        return;
      case 'reloaded':
        this.#systemd.ready(report.error === null ? 'serving' : `serving; the last reload failed: ${report.error}`);
        return;
      case 'stopping':
        this.#unansweredSince = null;
        this.#stopping();
        return;
      case 'ending':
        this.#saidCode = report.exitCode;
        this.#killIn(END_AFTER_MS);
        return;
      default:
        report satisfies never;
    }
  }

  /** From now on the supervisor's end is the end, and when it listens no more nobody does. */
  #stopping(): void {
    this.#ending = true;
    this.#held.close();
    this.#systemd.stopping();
  }

  #giveSocket(host: string, port: number): void {
    try {
      const socket = this.#held.of(host, port);
      const { address } = this.#held;
      if (address !== null && (address.host !== host || address.port !== port)) {
        const [asked, kept] = [{ host, port }, address].map((each) => `port ${each.port} of ${each.host}`);
        process.stderr.write(`oai-agent-server: ${asked} takes a new start of the launcher; until then it serves on ${kept}\n`);
      }
      if (socket === null) this.#order({ type: 'socket' });
      else this.#child?.send({ type: 'socket' } satisfies Order, socket, { keepOpen: true }, () => undefined);
    } catch (error) {
      this.#order({ type: 'not_bound', code: (error as NodeJS.ErrnoException).code ?? 'UNKNOWN' });
    }
  }

  /** An order that does not arrive is for a supervisor that has just ended. */
  #order(order: Order): void {
    if (this.#child?.connected === true) this.#child.send(order, () => undefined);
  }

  #stop(reason: string): void {
    if (this.#child === undefined) process.exit(0);
    if (this.#unansweredSince !== null && performance.now() - this.#unansweredSince > UNANSWERED_MS) {
      this.#stopNow(`a second ${reason}`);
      return;
    }
    this.#order({ type: 'stop', reason });
    if (!this.#ending) this.#unansweredSince = performance.now();
    this.#stopping();
  }

  #stopNow(reason: string): void {
    this.#ending = true;
    this.#saidCode = 0;
    if (this.#child === undefined) process.exit(0);
    this.#order({ type: 'stop_now', reason });
    this.#killIn(KILL_AFTER_MS);
  }

  /** The supervisor that runs now, should it still run then. */
  #killIn(ms: number): void {
    const child = this.#child;
    const timer = setTimeout(() => child?.kill('SIGKILL'), ms);
    child?.once('exit', () => clearTimeout(timer));
  }

  #ended(code: number | null, signal: NodeJS.Signals | null): void {
    this.#child = undefined;
    const exitCode = this.#saidCode ?? code ?? 128 + constants.signals[signal ?? 'SIGKILL'];
    if (this.#ending || !this.#served || exitCode === 0) process.exit(exitCode);
    const sound = this.#readyAt !== null && performance.now() - this.#readyAt > SOUND_AFTER_MS;
    const delayMs = sound ? 0 : this.#backoffMs;
    this.#backoffMs = sound ? 0 : Math.min(LAST_BACKOFF_MS, Math.max(FIRST_BACKOFF_MS, delayMs * 2));
    const how = signal === null ? `exit code ${code}` : signal;
    process.stderr.write(`oai-agent-server: the server's process ended with ${how}; it is started again${delayMs === 0 ? '' : ` in ${delayMs / 1000} s`}\n`);
    this.#systemd.ready(`starting again after ${how}`);
    setTimeout(() => this.#spawn(), delayMs);
  }
}
