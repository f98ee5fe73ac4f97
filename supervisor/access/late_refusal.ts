// Answers whoever goes on trying credentials late, and reads nothing more of the connection meanwhile: so what trying costs the server, and everybody else
// on its event loop, is bounded by the connections that it is tried on, and not by how fast they send.
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const LATE_MS = 1000;
const waiting = new WeakSet<Socket>();

/**
 * Resolves when the answer may go out. A connection that has sent another such request behind the one that waits is closed: no client of HTTP does that
 * by itself, and all that it had sent by then is read already.
 */
export async function beLate(socket: Socket): Promise<void> {
  if (waiting.has(socket)) {
    socket.destroy();
    return;
  }
  waiting.add(socket);
  socket.pause();
  // Not what a stop would wait for.
  await delay(LATE_MS, undefined, { ref: false });
  waiting.delete(socket);
  socket.resume();
}
