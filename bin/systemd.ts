// Tells systemd how the service is (https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html). Node has no datagram sockets of the kind
// that it listens on, so its own program says it; what fails is nothing to fail for.
import { execFile } from 'node:child_process';

/** Its program waits until what it said has been read, which may be never. */
const TIMEOUT_MS = 5000;

export class Systemd {
  readonly #socket: string | undefined;
  #isStopping = false;
  /** What was said before is to arrive before. */
  #said: Promise<void> = Promise.resolve();

  /** Takes NOTIFY_SOCKET out of the environment: neither agents nor what they start are to speak for the service. */
  constructor(env: NodeJS.ProcessEnv = process.env) {
    this.#socket = env['NOTIFY_SOCKET'];
    delete env['NOTIFY_SOCKET'];
  }

  /** @param status any text, such as an agent's error: a second line in it would be another message */
  ready(status: string): void {
    this.#tell('READY=1', `STATUS=${status.replaceAll(/\s+/g, ' ')}`);
  }

  reloading(): void {
    this.#tell('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`, 'STATUS=reloading');
  }

  stopping(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#tell('STOPPING=1', 'STATUS=stopping');
  }

  #tell(...lines: readonly string[]): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    const options = { env: { ...process.env, NOTIFY_SOCKET: socket }, timeout: TIMEOUT_MS };
    this.#said = this.#said.then(() => new Promise((resolve) => void execFile('systemd-notify', lines, options, () => resolve())));
  }
}
