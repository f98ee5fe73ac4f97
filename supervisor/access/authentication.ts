// The one door: tells the caller of a request from its head alone, and whether it may use the route.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Config } from '../../shared/config.ts';
import { AppError } from '../../shared/errors.ts';
import { ANYBODY, LOCAL, requireScope, unauthorized, type Caller } from './caller.ts';
import { createClientAddress } from './client_address.ts';
import { credentialOf } from './credential.ts';
import { FailedCredentials } from './failed_credentials.ts';
import { beLate } from './late_refusal.ts';
import type { LiveTokens } from './live_tokens.ts';
import { createLocalRule } from './local.ts';
import type { Scope } from './scopes.ts';
import type { Tokens } from './tokens.ts';

/**
 * @returns the caller, which has the scope
 * @throws AppError DUPLICATE_CREDENTIALS, UNAUTHORIZED, RATE_LIMITED, STORE_UNAVAILABLE, FORBIDDEN
 */
export type Authenticate = (request: IncomingMessage, response: ServerResponse, scope: Scope) => Caller | Promise<Caller>;

export interface AuthenticationOptions {
  readonly config: Pick<Config, 'authEnabled' | 'authForced' | 'allowedOrigins' | 'trustedProxies'>;
  readonly tokens: Pick<Tokens, 'check'>;
  readonly live: Pick<LiveTokens, 'follow'>;
  /** Nobody was let in; told with the status of the answer. */
  onRefused(status: number): void;
}

export function createAuthentication({ config, tokens, live, onRefused }: AuthenticationOptions): Authenticate {
  if (!config.authEnabled) return () => ANYBODY;
  const isLocal = createLocalRule(() => config.allowedOrigins);
  const clientAddressOf = createClientAddress(() => config.trustedProxies);
  const failed = new FailedCredentials();

  const identify = (request: IncomingMessage): Caller | Promise<Caller> => {
    const credential = credentialOf(request.rawHeaders);
    if (credential !== null) {
      const known = (caller: Caller | null): Caller | Promise<Caller> => caller ?? refuse(request, failed.count(clientAddressOf(request), performance.now()));
      const checked = tokens.check(credential);
      return checked instanceof Promise ? checked.then(known) : known(checked);
    }
    if (config.authForced) throw unauthorized();
    const local = isLocal(request);
    return typeof local === 'boolean' ? localCaller(local) : local.then(localCaller);
  };
  const refused = (error: unknown): never => {
    if (error instanceof AppError) onRefused(error.status);
    throw error;
  };

  return (request, response, scope) => {
    const letIn = (caller: Caller): Caller => {
      requireScope(caller, scope);
      if (caller.token !== null) live.follow(caller.token, response);
      return caller;
    };
    try {
      const caller = identify(request);
      return caller instanceof Promise ? caller.then(letIn).catch(refused) : letIn(caller);
    } catch (error) {
      return refused(error);
    }
  };
}

function localCaller(isLocal: boolean): Caller {
  if (!isLocal) throw unauthorized();
  return LOCAL;
}

/** Whatever was wrong with the credential, it is told in these words, or to wait. @param retryAfterS how long, where too many have failed; 0 where not */
async function refuse({ socket }: IncomingMessage, retryAfterS: number): Promise<never> {
  if (retryAfterS === 0) throw unauthorized();
  await beLate(socket);
  throw new AppError('RATE_LIMITED', { message: 'Too many credentials from this address have failed; a valid one is still taken.', retryAfterS });
}
