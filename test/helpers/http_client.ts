// A client of the server: a request has a connection of its own, which ends with the answer, so that a stop never waits for one.
import { request, type Agent, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { waitFor } from './wait_for.ts';
import { parseEventStream, type StreamedEvent } from './event_stream.ts';

export type Json = Readonly<Record<string, unknown>>;

export interface Sent {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** Sent as JSON, unless it is text or bytes already. */
  readonly body?: unknown;
  readonly signal?: AbortSignal;
  /** Keeps its connections, until the test destroys it. */
  readonly agent?: Agent;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The body's JSON; empty where it is none. */
  readonly json: Json;
}

export async function send(url: string, path: string, sent: Sent = {}): Promise<Answer> {
  const response = await open(url, path, sent);
  const body = await text(response);
  const isJson = /[/+]json\b/.test(response.headers['content-type'] ?? '') && body !== '';
  return { status: response.statusCode ?? 0, headers: response.headers, text: body, json: isJson ? (JSON.parse(body) as Json) : {} };
}

export const chat = (url: string, body: unknown, headers: Sent['headers'] = {}): Promise<Answer> =>
  send(url, '/chat', { method: 'POST', body, headers });

export interface OpenedStream {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** What has come so far. */
  readonly text: string;
  /** The events that have come whole so far. */
  readonly events: readonly StreamedEvent[];
  /** Resolves with all that came, once the connection is closed, whoever closed it. */
  readonly ended: Promise<string>;
  /** Waits for an event of this type. */
  until(type: string): Promise<StreamedEvent>;
  /** Goes away. */
  close(): void;
}

export const stream = (url: string, body: unknown, headers: Sent['headers'] = {}): Promise<OpenedStream> =>
  openStream(url, '/chat/stream', { method: 'POST', body, headers });

export const resume = (url: string, id: string, lastEventId?: number): Promise<OpenedStream> =>
  openStream(url, `/chat/${id}/stream`, lastEventId === undefined ? {} : { headers: { 'last-event-id': String(lastEventId) } });

export async function openStream(url: string, path: string, sent: Sent): Promise<OpenedStream> {
  const response = await open(url, path, sent);
  let received = '';
  response.setEncoding('utf8').on('data', (piece: string) => (received += piece));
  response.on('error', () => undefined);
  const ended = new Promise<string>((resolve) => response.once('close', () => resolve(received)));
  const events = (): readonly StreamedEvent[] => parseEventStream(received.slice(0, received.lastIndexOf('\n\n') + 2)).events;
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    ended,
    get text() {
      return received;
    },
    get events() {
      return events();
    },
    until: (type) => waitFor(`the event ${type}`, () => events().find(({ content }) => content.type === type)),
    close: () => void response.destroy(),
  };
}

function open(url: string, path: string, { method = 'GET', headers = {}, body, signal, agent }: Sent): Promise<IncomingMessage> {
  const bytes = body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  const { hostname, port } = new URL(url);
  const typed = body === undefined || 'content-type' in headers ? headers : { 'content-type': 'application/json', ...headers };
  return new Promise((resolve, reject) => {
    const options = { hostname, port, path, method, headers: typed, agent: agent ?? false, ...(signal === undefined ? {} : { signal }) };
    // An answer may come, and the connection go, before the whole body is sent: then the answer counts.
    const sending = request(options, resolve).on('error', reject);
    sending.end(bytes);
  });
}
