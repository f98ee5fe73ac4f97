// Who a request comes from, and what that caller may do.
import type { IncomingMessage } from 'node:http';
import { AppError } from '../../shared/errors.ts';
import type { Config } from '../../shared/config.ts';
import { createLocalRule } from './local.ts';

export const SCOPES = ['chat', 'agent', 'logs', 'logs:all', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

export interface Caller {
  /** What it starts belongs to this id. */
  readonly id: string;
  readonly scopes: ReadonlySet<Scope>;
}

const ANYBODY: Caller = { id: 'anonymous', scopes: new Set(SCOPES) };
const LOCAL: Caller = { id: 'anonymous', scopes: new Set<Scope>(['chat', 'agent', 'logs', 'logs:all']) };

const CREDENTIAL_HEADERS = new Set(['authorization', 'x-api-key', 'api-token', 'api_token']);

/**
 * Tells the caller of a request from its head alone.
 * @throws AppError DUPLICATE_CREDENTIALS, UNAUTHORIZED
 */
export type Authenticate = (request: IncomingMessage) => Caller | Promise<Caller>;

export function createAuthentication(config: Config): Authenticate {
  if (!config.authEnabled) return () => ANYBODY;
  const isLocal = createLocalRule(config.allowedOrigins);
  return (request) => {
    const credentials = countCredentials(request.rawHeaders);
    if (credentials > 1) throw new AppError('DUPLICATE_CREDENTIALS');
    if (credentials === 1 || config.authForced) throw unauthorized();
    const local = isLocal(request);
    return typeof local === 'boolean' ? localCaller(local) : local.then(localCaller);
  };
}

function localCaller(isLocal: boolean): Caller {
  if (!isLocal) throw unauthorized();
  return LOCAL;
}

function unauthorized(): AppError {
  return new AppError('UNAUTHORIZED', { headers: { 'WWW-Authenticate': 'Bearer' } });
}

/** Counted in the raw fields: node keeps the first of two Authorization fields and joins two x-api-key. */
function countCredentials(rawHeaders: readonly string[]): number {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (CREDENTIAL_HEADERS.has((rawHeaders[i] as string).toLowerCase())) count += 1;
  }
  return count;
}
