// The least of an HTTP/1.1 request reader: bodies with a Content-Length, one request at a time on a connection.
import type { Socket } from 'node:net';

export interface UpstreamRequest {
  readonly path: string;
  readonly body: string;
}

/** Calls `onRequest` for each whole request that arrives on the socket. */
export function readRequests(socket: Socket, onRequest: (request: UpstreamRequest) => void): void {
  let pending = '';
  socket.setEncoding('latin1');
  socket.on('data', (text: string) => {
    pending += text;
    for (;;) {
      const headEnd = pending.indexOf('\r\n\r\n');
      if (headEnd === -1) return;
      const head = pending.slice(0, headEnd);
      const end = headEnd + 4 + contentLength(head);
      if (pending.length < end) return;
      const request = { path: head.split(' ', 2)[1] ?? '', body: pending.slice(headEnd + 4, end) };
      pending = pending.slice(end);
      onRequest(request);
    }
  });
}

function contentLength(head: string): number {
  return Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
}
