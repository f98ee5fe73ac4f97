// Bytes to a server and bytes back, where a client of HTTP would refuse to send what the test wants to.
import { connect } from 'node:net';

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
