// Where tokens are made, listed and revoked: at a running server, or in the store of one that does not run.
import type { TokenJson, TokenRequest, UsedTokenJson } from '../../supervisor/access/token_request.ts';

export type NewTokenJson = TokenJson & { readonly token: string };

export interface Desk {
  /** @param body of POST /tokens, which `request` says as well */
  create(body: Readonly<Record<string, unknown>>, request: TokenRequest): Promise<NewTokenJson>;
  /** Oldest first. */
  list(): Promise<readonly UsedTokenJson[]>;
  revoke(id: string): Promise<void>;
  close(): Promise<void>;
}

/** The command line is as it has to be, and yet it cannot be done. */
export class TokensError extends Error {
  readonly exitCode = 1;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TokensError';
  }
}
