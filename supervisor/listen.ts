// Where a server listens, and what it says where it cannot.
import type { Socket } from 'node:net';
import type { HttpServer } from './http/server.ts';
import { StartError } from './start_error.ts';

/** Brings a socket that is bound to this address, and that outlives the process; null: none, one of its own is opened. @throws the system's error */
export type BringSocket = ((host: string, port: number) => Promise<Socket | null>) | null;

/** @returns the server's address as a URL for this machine @throws StartError, which names the port */
export async function listen(http: HttpServer, port: number, host: string, socket: BringSocket): Promise<string> {
  try {
    const held = socket === null ? null : await socket(host, port);
    const actual = await http.listen(held ?? { port, host });
    const shown = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
    return `http://${shown.includes(':') ? `[${shown}]` : shown}:${actual}`;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === 'EADDRINUSE' ? 'is in use' : code === 'EACCES' ? 'may not be used by this user' : `cannot be used: ${code ?? String(error)}`;
    throw new StartError(1, `port ${port} of ${host} ${reason}`);
  }
}
