// What the log keeps of a request's head, and what its credentials and variables are, so that they stand nowhere in the log.
import { createRedaction, type Redaction } from './redaction.ts';

export interface RequestFacts {
  /** Path of the route. */
  readonly endpoint: string;
  /** Of the allow-list, by name in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly redact: Redaction;
  /** For the ids of session and user: their variables may name them as well, and rows are found by them, but no credential is one. */
  readonly redactId: Redaction;
}

/**
 * They tell what kind of client asked, in which form, from which site and as part of which trace. Left out on purpose: what says who or where somebody
 * is (Forwarded, X-Forwarded-For, Via and their kin: the log holds no addresses), what may be a credential (Authorization, Cookie, any name that is
 * not known), and what may be a variable of the interaction (any name of the agent's request_env).
 */
const LOGGED = new Set([
  'accept', 'accept-encoding', 'accept-language', 'content-length', 'content-type', 'host', 'origin', 'referer', 'sec-fetch-mode', 'sec-fetch-site',
  'traceparent', 'user-agent', 'x-request-id',
]);
const CREDENTIALS = new Set(['authorization', 'proxy-authorization', 'x-api-key', 'api-token', 'api_token']);
/** Of one field, in UTF-16 units, which for a field are bytes. */
const MAX_VALUE_LENGTH = 1024;

/**
 * @param rawHeaders of the request, as node:http has them @param endpoint path of the route
 * @param env the variables that the request set @param own the server's own secrets
 */
export function readRequestFacts(
  rawHeaders: readonly string[],
  endpoint: string,
  env: Readonly<Record<string, string>>,
  own: readonly string[] = [],
): RequestFacts {
  const found = new Map<string, string>();
  const credentials: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase();
    const value = rawHeaders[i + 1] as string;
    if (CREDENTIALS.has(name)) credentials.push(value, schemeless(value));
    else if (LOGGED.has(name) && !found.has(name)) found.set(name, name === 'referer' ? withoutQuery(value) : value);
  }
  const redact = createRedaction([...credentials, ...own, ...Object.values(env)]);
  // Cut last: of a secret that is cut off, less might be left than is recognised.
  const kept = [...found].filter(([, value]) => value !== '').map(([name, value]) => [name, redact(value).slice(0, MAX_VALUE_LENGTH)] as const);
  return { endpoint, headers: Object.fromEntries(kept), redact, redactId: createRedaction([...credentials, ...own]) };
}

/** Of `Bearer x` the `x`. */
function schemeless(value: string): string {
  return value.slice(value.indexOf(' ') + 1).trim();
}

/** Queries, and names and passwords before the host, are where pages have their secrets. @returns '' for what is no address of a page */
function withoutQuery(referer: string): string {
  const url = URL.parse(referer);
  return url === null || !/^https?:$/.test(url.protocol) ? '' : `${url.origin}${url.pathname}`;
}
