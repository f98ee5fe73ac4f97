// Bytes to a server and bytes back, where a client of HTTP would refuse to send what the test wants to.
import { connect } from 'node:net';
import { waitFor } from './wait_for.ts';

export interface RawAnswer {
  /** 0: there was no answer. */
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** Sends the bytes and reads to the end of the connection, which the server has to bring about; rejects when it does not in `timeoutMs`. */
export function exchange(url: string, bytes: string | Buffer, timeoutMs = 5_000): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    const chunks: Buffer[] = [];
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`the server kept the connection for ${timeoutMs} ms: ${Buffer.concat(chunks).toString().slice(0, 200)}`));
    }, timeoutMs);
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', () => undefined);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve(parse(Buffer.concat(chunks).toString('utf8')));
    });
    socket.write(bytes);
  });
}

export interface HeldRequest {
  /** Sends the body. Resolves with all that has come, once the connection is closed. */
  finish(): Promise<string>;
}

/** Sends the head of a request with this JSON for a body, and resolves when that is asked for: the server has let the request in. */
export async function holdBody(url: string, requestLine: string, body: string, ...headers: readonly string[]): Promise<HeldRequest> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let received = '';
  socket.setEncoding('utf8').on('data', (text: string) => (received += text));
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.write(head(requestLine, ...headers, 'Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`, 'Expect: 100-continue'));
  await waitFor('the body to be asked for', () => received.includes('100 Continue'));
  return {
    async finish() {
      socket.end(body);
      await closed;
      return received;
    },
  };
}

/** A request's head; `Connection: close` is part of it, and Host unless `headers` has one. */
export function head(requestLine: string, ...headers: readonly string[]): string {
  const host = headers.some((header) => /^host:/i.test(header)) ? [] : ['Host: localhost'];
  return `${[requestLine, ...host, 'Connection: close', ...headers].join('\r\n')}\r\n\r\n`;
}

function parse(text: string): RawAnswer {
  const end = text.indexOf('\r\n\r\n');
  const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(text) ?? [];
  return { status: Number(status ?? 0), head: end === -1 ? text : text.slice(0, end), body: end === -1 ? '' : text.slice(end + 4) };
}
