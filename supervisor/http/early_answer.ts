// Answers a request whose body is still on its way, so that its client gets to read the answer.
import type { ServerResponse } from 'node:http';

/** What is thrown away at most, so that a client that writes all before it reads anything comes to its end, in bytes. */
const MAX_DISCARDED_BYTES = 16 * 1024 * 1024;
/** Longest wait for the client to close, without a byte from it and in all. */
const SILENCE_MS = 1000;
const TOTAL_MS = 5000;

/**
 * Ends the connection with this answer, whose head is written: the answer goes out at once, then our end of the connection, and what still comes is
 * thrown away for a while. Closing on bytes that nobody has read would reset it, and the answer be lost on its way (RFC 9112, section 9.6).
 * A client that goes on sending beyond that is no longer read from, and has the rest of the time to notice the answer.
 */
export function endEarly(response: ServerResponse, body: string | Buffer | undefined): void {
  const { req: request, socket } = response;
  // Behind another request's answer on the same connection: its turn has not come.
  if (socket === null) {
    request.resume();
    response.end(body);
    return;
  }
  // The response itself is left open: node destroys the connection as soon as it is ended.
  if (body === undefined) response.flushHeaders();
  else response.write(body);
  socket.end();
  let left = MAX_DISCARDED_BYTES;
  const silence = setTimeout(() => socket.destroy(), SILENCE_MS);
  const total = setTimeout(() => socket.destroy(), TOTAL_MS);
  socket.once('close', () => {
    clearTimeout(silence);
    clearTimeout(total);
  });
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left > 0) {
      silence.refresh();
      return;
    }
    clearTimeout(silence);
    request.pause();
  });
  request.once('end', () => socket.destroySoon());
  request.resume();
}
