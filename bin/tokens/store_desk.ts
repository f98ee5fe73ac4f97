// The tokens of a store that is at hand, without a server.
import { randomBytes } from 'node:crypto';
import { AppError } from '../../shared/errors.ts';
import { ADMIN } from '../../supervisor/access/caller.ts';
import { tokenJson, usedTokenJson } from '../../supervisor/access/token_request.ts';
import { Tokens } from '../../supervisor/access/tokens.ts';
import { createLog } from '../../supervisor/log.ts';
import type { TokenStore } from '../../supervisor/store/tokens.ts';
import { TokensError, type Desk } from './desk.ts';

/** Whoever has the store may do everything: no token is asked for. @param closeStore is called at the end */
export async function openStoreDesk(store: TokenStore, closeStore: () => void | Promise<void>): Promise<Desk> {
  const log = await createLog('silent', 'json');
  // No credential is checked here, so none is the admin's.
  const tokens = new Tokens({ store, adminDigest: randomBytes(32), log, tokenEnd: () => null, onRevoked: () => undefined });
  return {
    async create(_body, request) {
      const { token, stored } = await told(tokens.create(request, ADMIN));
      return { ...tokenJson(stored), token };
    },
    list: async () => (await told(tokens.list())).map(usedTokenJson),
    revoke: (id) => told(tokens.revoke(id, ADMIN)),
    async close() {
      await tokens.close();
      await closeStore();
    },
  };
}

async function told<T>(asked: Promise<T>): Promise<T> {
  return asked.catch((error: unknown) => {
    throw error instanceof AppError ? new TokensError(error.message, { cause: error }) : error;
  });
}
