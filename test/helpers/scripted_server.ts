// An HTTP server that answers as a script says, and remembers what it was asked.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Test } from 'tap';

export interface ScriptedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  /** The JSON of the body; null where there is none. */
  readonly body: Readonly<Record<string, unknown>> | null;
}

export type Script = (request: ScriptedRequest, response: ServerResponse) => void;

/** Starts a server on a free port; it ends, and cuts its connections, when the test does. */
export async function startScriptedServer(t: Test, script: Script): Promise<{ url: string; requests: readonly ScriptedRequest[] }> {
  const requests: ScriptedRequest[] = [];
  const server = createServer(async (incoming, response) => {
    const body = await text(incoming);
    const { method = '', url = '', headers } = incoming;
    const request = { method, path: url, headers, body: body === '' ? null : (JSON.parse(body) as Record<string, unknown>) };
    requests.push(request);
    script(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

/** Begins an event stream. */
export function beginStream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write(': ping\n\n');
}

/** Writes one numbered event of an interaction. */
export function writeEvent(response: ServerResponse, id: number, content: object): void {
  response.write(`id: ${id}\ndata: ${JSON.stringify({ content, session_id: 's', interaction_id: 'i' })}\n\n`);
}

/** Writes a whole answer of one message: start, its pieces, output, `[DONE]`. */
export function answerWith(response: ServerResponse, ...pieces: readonly string[]): void {
  beginStream(response);
  writeEvent(response, 1, { type: 'start', agent: 'scripted', model: null });
  pieces.forEach((content, index) => writeEvent(response, index + 2, { type: 'text', content, message: 1 }));
  writeEvent(response, pieces.length + 2, { type: 'output', content: pieces.join(''), agent: 'scripted', finish_reason: 'stop' });
  response.end('data: [DONE]\n\n');
}
