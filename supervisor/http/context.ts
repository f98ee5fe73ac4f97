// One request on its way through the server: what is known of it, and how it is answered.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Caller } from '../access/caller.ts';

export interface RequestContext {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
  /** As in the request line, without the query. */
  readonly path: string;
  /** Percent-decoded parts of the path, by the names in the route's pattern. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly caller: Caller;
  /** Whose limits count; empty on a route that is not `limited`. */
  readonly limitKey: string;
}

/** Sends JSON that is text already. */
export function sendJson(context: RequestContext, status: number, json: string, headers: Readonly<Record<string, string>> = {}): void {
  send(context.response, status, 'application/json', json, headers);
}

/** Sends a whole body; of a HEAD request its head only. @param end how the response is ended with it */
export function send(
  response: ServerResponse,
  status: number,
  contentType: string,
  body: string | Buffer,
  headers: Readonly<Record<string, string>> = {},
  end: (response: ServerResponse, body: string | Buffer | undefined) => void = endWith,
): void {
  response.writeHead(status, {
    'Content-Type': contentType,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...headers,
  });
  end(response, response.req.method === 'HEAD' ? undefined : body);
}

function endWith(response: ServerResponse, body: string | Buffer | undefined): void {
  response.end(body);
}

export function sendEmpty(response: ServerResponse, status: number, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, headers);
  response.end();
}

/** @param accept the request's Accept field @returns whether a browser asks for a page */
export function prefersHtml(accept: string | undefined): boolean {
  return accept !== undefined && accept.includes('text/html');
}
