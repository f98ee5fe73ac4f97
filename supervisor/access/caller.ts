// Who a request comes from, and what that caller may do.
import { AppError } from '../../shared/errors.ts';
import type { StoredToken } from '../store/tokens.ts';
import { impliedScopes, SCOPES, type Scope } from './scopes.ts';

/** What ends with a token: it does so at its expiry, or earlier when it is revoked. */
export interface TokenReference {
  readonly id: string;
  /** ms since 1970. */
  readonly expiresAt: number | null;
}

export interface Caller {
  /** What it starts belongs to this id. The parts before the colon keep the ids of users and of tokens apart, and from those without one. */
  readonly id: 'anonymous' | 'admin' | `user:${string}` | `token:${string}`;
  readonly scopes: ReadonlySet<Scope>;
  /** null: the request says whom it is for. */
  readonly userId: string | null;
  /** null without one, and for the admin token, which never ends. */
  readonly token: TokenReference | null;
}

/** Where a route is open to everybody. */
export const NOBODY: Caller = { id: 'anonymous', scopes: new Set(), userId: null, token: null };
/** Where nobody is asked for a token. */
export const ANYBODY: Caller = { ...NOBODY, scopes: new Set(SCOPES) };
/** A request of this machine without a token. */
export const LOCAL: Caller = { ...NOBODY, scopes: new Set<Scope>(['chat', 'agent', 'logs', 'logs:all']) };
/** Whoever has the admin token. */
export const ADMIN: Caller = { id: 'admin', scopes: new Set(SCOPES), userId: null, token: null };

/** Tokens of one user are one caller, so that what a user began with one can be gone on with by another. */
export function callerOf({ id, userId, scopes, expiresAt }: StoredToken): Caller {
  return { id: userId === null ? `token:${id}` : `user:${userId}`, scopes: impliedScopes(scopes), userId, token: { id, expiresAt } };
}

/** The one answer to whoever has no valid token, whatever is wrong with it. */
export function unauthorized(): AppError {
  return new AppError('UNAUTHORIZED', { headers: { 'WWW-Authenticate': 'Bearer' } });
}

/** @throws AppError FORBIDDEN where the caller lacks the scope */
export function requireScope(caller: Caller, scope: Scope): void {
  if (caller.scopes.has(scope)) return;
  const message = caller.token === null ? WITHOUT_TOKEN : `The token lacks the scope ${scope}, which this route asks for.`;
  throw new AppError('FORBIDDEN', { message });
}

/** All that a request of this machine lacks. */
const WITHOUT_TOKEN =
  'This route asks for the scope admin, of requests from this machine too: ' +
  'send the admin token, which is OAI_ADMIN_TOKEN or in the file admin-token of the data directory.';
