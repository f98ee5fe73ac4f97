// The socket that the launcher holds: bound, and never listening, so that it takes no connection from whoever listens on it.
import net from 'node:net';

interface Address {
  readonly host: string;
  readonly port: number;
}

/** Connections that come while no supervisor listens wait in the kernel's queue, as long as this socket is open. */
export class HeldSocket {
  #address: Address | null = null;
  #socket: net.Socket | undefined;

  /** What was asked for first; null: nothing is held. */
  get address(): Address | null {
    return this.#address;
  }

  /**
   * The socket of an address, as something that can be sent to a process; the same one each time. Whoever asks for another address gets it too: clients
   * know the old one, and to move is for a restart that somebody has wanted.
   * @param host an address, no name
   * @param port 0: any free one, which stays the same
   * @returns null where this Node has no such sockets (before 24.19, and on Windows)
   * @throws the error of the system, such as EADDRINUSE
   */
  of(host: string, port: number): net.Socket | null {
    if (typeof net.BoundSocket !== 'function' || process.platform === 'win32') return null;
    if (this.#socket === undefined) {
      this.#socket = new net.Socket({ handle: new net.BoundSocket({ host, port }) });
      this.#address = { host, port };
    }
    return this.#socket;
  }

  /** For good. It goes on listening for as long as a supervisor has it open: to be refused, connections need both to close it. */
  close(): void {
    this.#socket?.destroy();
  }
}
