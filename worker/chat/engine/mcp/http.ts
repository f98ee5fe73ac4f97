// A remote MCP server: the client's own transport for streamable HTTP, over a pool that has no limits of time, with those of size that it lacks.
import { StreamableHTTPClientTransport, type JSONRPCMessage, type RequestId, type Transport } from '@modelcontextprotocol/client';
import { Agent, fetch, type Dispatcher } from 'undici';
import { CUT_CODE } from './failure.ts';
import type { LinkTransport } from './link.ts';
import type { HttpTarget } from './target.ts';

const CONNECT_TIMEOUT_MS = 10_000;
/** Most bytes of one answer, or of one event of a stream. */
const LARGEST_ANSWER = 16 * 1024 * 1024;
const LEAVE_WITHIN_MS = 500;
/** A stream of news that ends sooner is none; after so many in a row nobody asks for another. */
const SHORT_STREAM_MS = 5000;
const MOST_SHORT_STREAMS = 3;
const NO_BODY = [101, 204, 205, 304];

export interface HttpOptions {
  readonly pool: Dispatcher;
  /** Whether it keeps a stream open for what the server says of its own accord, such as that its tools have changed. */
  readonly listens: boolean;
  /** A stream broke: the server may be gone. */
  doubt(): void;
}

/** Calls are ended by their own timeout, however long that is; silence is how a stream of news sounds. */
export function createHttpPool(): Dispatcher {
  return new Agent({ headersTimeout: 0, bodyTimeout: 0, allowH2: false, connect: { timeout: CONNECT_TIMEOUT_MS } });
}

/** Redirects are followed within the origin only: the transport's default, so that headers reach nobody else. */
export function createHttpTransport(target: HttpTarget, options: HttpOptions): LinkTransport {
  const base = new StreamableHTTPClientTransport(target.url, { fetch: createFetch(options), requestInit: { headers: { ...target.headers } } });
  const open = new Map<RequestId, AbortController>();
  const wire: Transport = Object.assign(base, {
    onmessage(message: JSONRPCMessage) {
      if (!('method' in message) && message.id !== undefined) open.delete(message.id);
      transport.onmessage?.(message);
    },
    onerror: (error: Error) => transport.onerror?.(error),
    onclose: () => transport.onclose?.(),
  });
  const transport: LinkTransport = {
    end: null,
    get sessionId() {
      return base.sessionId;
    },
    setProtocolVersion: (version) => base.setProtocolVersion(version),
    start: () => base.start(),
    async send(message, sendOptions) {
      if (!('method' in message) || !('id' in message)) {
        await wire.send(message, sendOptions);
        if ('method' in message && message.method === 'notifications/cancelled') cancelled(message.params?.['requestId']);
        return;
      }
      const { id } = message;
      const controller = new AbortController();
      open.set(id, controller);
      // The client waits for the answer of a stream that has ended, until its timeout.
      const onRequestStreamEnd = () => {
        if (open.delete(id)) transport.onmessage?.({ jsonrpc: '2.0', id, error: { code: CUT_CODE, message: 'the stream ended' } });
      };
      try {
        await wire.send(message, { ...sendOptions, requestSignal: controller.signal, onRequestStreamEnd });
      } catch (error) {
        open.delete(id);
        throw error;
      }
    },
    async leave() {
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, LEAVE_WITHIN_MS);
      await Promise.race([base.terminateSession().catch(() => undefined), late]);
      clearTimeout(timer);
    },
    close: () => base.close(),
  };
  /** Nobody waits for its answer: a server that goes on regardless must not hold a connection for it. */
  const cancelled = (id: unknown): void => {
    if (typeof id !== 'string' && typeof id !== 'number') return;
    open.get(id)?.abort();
    open.delete(id);
  };
  return transport;
}

type FetchLike = NonNullable<NonNullable<ConstructorParameters<typeof StreamableHTTPClientTransport>[1]>['fetch']>;

function createFetch({ pool, listens, doubt }: HttpOptions): FetchLike {
  let shortStreams = 0;
  return async (url, init = {}) => {
    const headers = new Headers(init.headers);
    const { method = 'GET', signal = null } = init;
    const listening = method === 'GET' && !headers.has('last-event-id');
    if (listening && (!listens || shortStreams >= MOST_SHORT_STREAMS)) return new Response(null, { status: 405 });
    const isOurs = () => signal?.aborted === true;
    const began = performance.now();
    try {
      const body = typeof init.body === 'string' ? { body: init.body } : {};
      const response = await fetch(url, { ...body, method, headers: [...headers], signal, redirect: 'manual', dispatcher: pool });
      if (method === 'GET' && !response.ok && response.status !== 405) doubt();
      const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
      const ended = (whole: boolean): void => {
        if (listening) shortStreams = performance.now() - began < SHORT_STREAM_MS ? shortStreams + 1 : 0;
        if (!isOurs() && (listening || !whole)) doubt();
      };
      const watched = response.body === null || NO_BODY.includes(response.status) ? null : watchBody(response.body, isStream, ended);
      return new Response(watched, { status: response.status, statusText: response.statusText, headers: [...response.headers] });
    } catch (error) {
      if (method === 'GET' && !isOurs()) doubt();
      throw error;
    }
  };
}

type Body = NonNullable<Awaited<ReturnType<typeof fetch>>['body']>;

/** The same bytes, as long as they are not too many. */
function watchBody(body: Body, isStream: boolean, ended: (whole: boolean) => void): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let held = 0;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) {
          controller.close();
          ended(true);
          return;
        }
        held = isStream && endsAnEvent(value) ? 0 : held + value.byteLength;
        if (held > LARGEST_ANSWER) throw new Error('the answer of the MCP server is too large');
        controller.enqueue(value);
      } catch (error) {
        controller.error(error);
        reader.cancel().catch(() => undefined);
        ended(false);
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

/** An empty line somewhere in the chunk, which ends an event (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
function endsAnEvent(chunk: Uint8Array): boolean {
  const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  return bytes.includes('\n\n') || bytes.includes('\r\n\r\n') || bytes.includes('\r\r');
}
