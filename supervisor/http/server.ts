// The HTTP server: every request passes the same checks in the same order, and every failure becomes a problem.
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Server as NetServer, type AddressInfo, type ListenOptions, type Socket } from 'node:net';
import type { Config } from '../../shared/config.ts';
import { AppError } from '../../shared/errors.ts';
import type { Authenticate } from '../access/authentication.ts';
import { NOBODY, type Caller } from '../access/caller.ts';
import { createClientAddress } from '../access/client_address.ts';
import { limitKeyOf, type Limits } from '../access/limits.ts';
import type { Logger } from '../log.ts';
import type { Route } from '../routes/route.ts';
import { sendEmpty, type RequestContext } from './context.ts';
import { applyCors } from './cors.ts';
import { UPLOAD_TIMEOUT_MS } from './multipart.ts';
import { rawProblem, sendProblem, toAppError } from './problem.ts';
import { allowedMethods, chooseRoute, compileRoutes, parseTarget } from './router.ts';

/** For the head of a request; node's default of 60 s lets a few hundred slow clients hold a server. */
const HEADERS_TIMEOUT_MS = 10_000;
/** For the whole of it: an upload's, and a little more, as that is told in better words where it is read. A JSON body has 60 s, see readJson. */
const REQUEST_TIMEOUT_MS = UPLOAD_TIMEOUT_MS + 30_000;
/** For what comes of a body after its answer, which nobody has read. */
const UNREAD_BODY_MS = 60_000;
/** An answer that is complete, and of which its reader takes nothing for so long, is given up. */
const UNREAD_MS = 60_000;
const UNREAD_SWEEP_MS = 10_000;
/** That requests are refused for want of the store is logged this often, not each time. */
const STORE_LOG_MS = 5_000;
/** As nginx counts a client that went away before any answer. */
const CLIENT_GONE = 499;
const REQUEST_ID = /^[\w.-]{1,128}$/;

export interface HttpServerOptions {
  readonly config: Config;
  readonly routes: readonly Route[];
  readonly authenticate: Authenticate;
  readonly limits: Pick<Limits, 'rate'>;
  readonly log: Logger;
  onResponse(route: Route | null, status: number): void;
}

export interface HttpServer {
  /** @param where an address, or a socket that is bound to one @returns the port @throws the error of the socket, such as EADDRINUSE */
  listen(where: ListenOptions | Socket): Promise<number>;
  /** Accepts no connection any more, and every answer closes its own; resolves when the last one has ended by itself. */
  close(): Promise<void>;
  /** After `close`: no connection waits for its client any more. Idle ones end now, the others with their answer. */
  hurry(): void;
  /** Ends all connections at once. */
  destroy(): void;
}

export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { config, log, authenticate, limits } = options;
  const clientAddressOf = createClientAddress(() => config.trustedProxies);
  const find = compileRoutes(options.routes);
  /** Begun and not over: a stop tells them to close their connections. */
  const open = new Set<ServerResponse>();
  const sweep = setInterval(() => open.forEach(limitUnread), UNREAD_SWEEP_MS);
  let closing = false;
  let hurried = false;
  let storeLoggedAt = Number.NEGATIVE_INFINITY;
  /** Why the store refuses is told to no client: where it is full, or forbids something, that is nowhere else to be read. */
  const logStore = ({ cause }: AppError): void => {
    if (!(cause instanceof Error) || performance.now() - storeLoggedAt < STORE_LOG_MS) return;
    storeLoggedAt = performance.now();
    log.warn({ reason: cause.message }, 'requests are refused, as the store fails');
  };

  const respond = (request: IncomingMessage, response: ServerResponse): void => {
    // It was closed for what it sent before this, in the same piece.
    if (request.socket.destroyed) return;
    const requestId = requestIdOf(request);
    let route: Route | null = null;
    response.setHeader('X-Request-ID', requestId);
    if (closing) response.setHeader('Connection', 'close');
    open.add(response);
    // Whatever a connection does ends that connection only.
    response.on('error', () => response.destroy());
    const { socket } = request;
    response.once('close', () => {
      open.delete(response);
      if (hurried) socket.destroySoon();
      else if (!request.complete && !socket.destroyed) setTimeout(() => request.complete || socket.destroy(), UNREAD_BODY_MS).unref();
      options.onResponse(route, response.headersSent ? response.statusCode : CLIENT_GONE);
    });
    const fail = (error: unknown): void => {
      const told = toAppError(error);
      if (told.code === 'INTERNAL') log.error({ err: told.cause, request_id: requestId }, 'a request failed');
      if (told.code === 'STORE_UNAVAILABLE') logStore(told);
      sendProblem(response, told, requestId);
    };
    try {
      applyCors(request, response, config.allowedOrigins);
      if (request.headers.host === undefined && request.httpVersion === '1.1') throw new AppError('MALFORMED_REQUEST', { message: 'Host is missing.' });
      const { path, query } = parseTarget(request);
      const match = find(path);
      route = chooseRoute(match, request.method ?? '', config.allowedModes);
      if (route === null || match === undefined) {
        sendEmpty(response, 204, { Allow: match === undefined ? '' : allowedMethods(match) });
        return;
      }
      const chosen = route;
      const handle = (caller: Caller): void | Promise<void> => {
        // The caller may have been found out after its connection went away: what it asked for is not done then.
        if (request.socket.destroyed) return;
        const limitKey = chosen.limited === true ? limitKeyOf(caller, clientAddressOf(request)) : '';
        const { params } = match;
        const context: RequestContext = { request, response, requestId, path, params, query: new URLSearchParams(query), caller, limitKey };
        chosen.authorize?.(context);
        const counted = chosen.limited === true ? limits.rate(limitKey, response) : undefined;
        if (counted === undefined) return chosen.handle(context);
        return counted.then(() => (request.socket.destroyed ? undefined : chosen.handle(context)));
      };
      const caller = chosen.scope === 'open' ? NOBODY : authenticate(request, response, chosen.scope);
      const handled = caller instanceof Promise ? caller.then(handle) : handle(caller);
      if (handled instanceof Promise) handled.catch(fail);
    } catch (error) {
      fail(error);
    }
  };

  const server = createServer(
    {
      keepAliveTimeout: config.keepAliveMs,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: 1000,
      noDelay: true,
      // Checked above, where the answer is a problem like any other.
      requireHostHeader: false,
    },
    respond,
  );
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => refuse(socket, error.code));
  // A body is asked for once its caller may send one, see readJson.
  server.on('checkContinue', respond);
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    const requestId = requestIdOf(request);
    response.setHeader('X-Request-ID', requestId);
    sendProblem(response, new AppError('MALFORMED_REQUEST', { message: 'Expect: only 100-continue is known.' }), requestId);
  });
  server.on('connect', (_request: IncomingMessage, socket: Socket) => refuse(socket, 'CONNECT'));
  return {
    listen: (where) => listen(server, where),
    close: () =>
      new Promise((resolve) => {
        closing = true;
        for (const response of open) if (!response.headersSent) response.setHeader('Connection', 'close');
        // http's own close() resets idle connections, on which a client may be sending its next request, and stops the timeouts of slow ones.
        NetServer.prototype.close.call(server, () => resolve());
      }),
    hurry: () => {
      hurried = true;
      server.closeIdleConnections();
    },
    destroy: () => {
      clearInterval(sweep);
      server.closeAllConnections();
    },
  };
}

/** The timeout of a socket starts anew whenever the reader takes something, however little. */
function limitUnread(response: ServerResponse): void {
  if (!response.writableEnded || response.writableFinished || response.listenerCount('timeout') > 0) return;
  response.setTimeout(UNREAD_MS, () => response.destroy());
}

function listen(server: Server, where: ListenOptions | Socket): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** The request's own id, where it can stand in a log line and a field as it is. */
function requestIdOf(request: IncomingMessage): string {
  const own = request.headers['x-request-id'];
  return typeof own === 'string' && REQUEST_ID.test(own) ? own : randomUUID();
}

/** Answers a request that could not be parsed, as far as its connection still takes an answer. */
function refuse(socket: Socket, code: string | undefined): void {
  if (code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  socket.end(rawProblem(errorOf(code), randomUUID()));
  // A client that does not close its side would otherwise keep the socket.
  setTimeout(() => socket.destroy(), 1000).unref();
}

function errorOf(code: string | undefined): AppError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new AppError('HEADERS_TOO_LARGE');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new AppError('REQUEST_TIMEOUT');
    case 'CONNECT':
      return new AppError('METHOD_NOT_ALLOWED', { message: 'CONNECT is not taken.' });
    default:
      return new AppError('MALFORMED_REQUEST');
  }
}
