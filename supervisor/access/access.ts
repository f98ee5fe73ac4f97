// Access as the server uses it: its parts put together, and closed together.
import type { Config } from '../../shared/config.ts';
import type { Logger } from '../log.ts';
import type { TokenStore } from '../store/tokens.ts';
import { ADMIN_TOKEN_FILE, openAdminToken, type AdminToken } from './admin_token.ts';
import { createAuthentication, type Authenticate } from './authentication.ts';
import type { LiveTokens } from './live_tokens.ts';
import { Tokens } from './tokens.ts';

export interface AccessOptions {
  readonly config: Config;
  readonly store: TokenStore;
  /** Told of revocations, by the store too. */
  readonly live: LiveTokens;
  /** Path of a file in the data directory. */
  file(name: string): string;
  readonly log: Logger;
  /** Nobody was let in; told with the status of the answer. */
  onRefused(status: number): void;
}

export interface Access {
  readonly authenticate: Authenticate;
  readonly tokens: Tokens;
  readonly adminToken: AdminToken;
  /** Writes what is not written yet; with the embedded store at once. */
  close(): Promise<void>;
}

/** @throws StartError where there is no admin token to be had */
export async function openAccess({ config, store, live, file, log, onRefused }: AccessOptions): Promise<Access> {
  const adminToken = await openAdminToken(config.adminToken, file(ADMIN_TOKEN_FILE));
  const tokens = new Tokens({ store, adminDigest: adminToken.digest, log, tokenEnd: live.endOf, onRevoked: (id) => live.revoke(id) });
  return {
    authenticate: createAuthentication({ config, tokens, live, onRefused }),
    tokens,
    adminToken,
    close() {
      live.close();
      return tokens.close();
    },
  };
}
