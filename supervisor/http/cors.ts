// Cross-origin access for the pages of ALLOWED_ORIGINS, and for no other.
import type { IncomingMessage, ServerResponse } from 'node:http';

const REQUEST_HEADERS = 'authorization, x-api-key, api-token, api_token, content-type, last-event-id, x-request-id';
const EXPOSED_HEADERS = 'x-request-id, x-interaction-id, x-session-id, retry-after, ratelimit-limit, ratelimit-remaining, ratelimit-reset';
const PREFLIGHT_AGE_S = 600;

/** Adds the fields that let a page of an allowed origin read the answer; on a preflight also those that let it send the request. */
export function applyCors(request: IncomingMessage, response: ServerResponse, allowedOrigins: readonly string[]): void {
  if (allowedOrigins.length === 0) return;
  const { origin } = request.headers;
  const any = allowedOrigins.includes('*');
  if (!any) response.setHeader('Vary', 'Origin');
  if (origin === undefined || !(any || allowedOrigins.includes(origin))) return;
  response.setHeader('Access-Control-Allow-Origin', any ? '*' : origin);
  response.setHeader('Access-Control-Expose-Headers', EXPOSED_HEADERS);
  if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] === undefined) return;
  response.setHeader('Access-Control-Allow-Methods', 'GET, HEAD, POST, DELETE');
  response.setHeader('Access-Control-Allow-Headers', REQUEST_HEADERS);
  response.setHeader('Access-Control-Max-Age', String(PREFLIGHT_AGE_S));
}
