// The tokens of a data directory whose server does not run: its lock is taken as a server would take it.
import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../shared/errors.ts';
import { ADMIN } from '../../supervisor/access/caller.ts';
import { tokenJson, usedTokenJson } from '../../supervisor/access/token_request.ts';
import { Tokens } from '../../supervisor/access/tokens.ts';
import { openDataDirectory } from '../../supervisor/data_directory.ts';
import { createLog } from '../../supervisor/log.ts';
import { openEmbeddedStore, type EmbeddedStore } from '../../supervisor/store/embedded.ts';
import { TokensError, type Desk } from './desk.ts';

/**
 * Whoever can write to the directory may do everything: no token is asked for.
 * @param mayMake whether it is made where it is missing
 * @throws DirectoryInUse where its server runs; StartError, TokensError where it cannot be used
 */
export async function openDirectoryDesk(dataDir: string, mayMake: boolean): Promise<Desk> {
  if (!mayMake && !(await isFile(join(dataDir, 'state.db')))) {
    throw new TokensError(`there are no tokens in ${dataDir}: it is no data directory of a server`);
  }
  const directory = await openDataDirectory(dataDir);
  let store: EmbeddedStore;
  try {
    store = openEmbeddedStore(directory.file('state.db'));
  } catch (error) {
    directory.close();
    throw new TokensError(`the embedded store ${directory.file('state.db')} cannot be opened: ${(error as Error).message}`, { cause: error });
  }
  const log = await createLog('silent', 'json');
  // No credential is checked here, so none is the admin's.
  const tokens = new Tokens({ store: store.tokens, adminDigest: randomBytes(32), log, onRevoked: () => undefined });
  return {
    async create(_body, request) {
      const { token, stored } = await told(tokens.create(request, ADMIN));
      return { ...tokenJson(stored), token };
    },
    list: async () => (await told(tokens.list())).map(usedTokenJson),
    revoke: (id) => told(tokens.revoke(id, ADMIN)),
    async close() {
      await tokens.close();
      store.close();
      directory.close();
    },
  };
}

async function told<T>(asked: Promise<T>): Promise<T> {
  return asked.catch((error: unknown) => {
    throw error instanceof AppError ? new TokensError(error.message, { cause: error }) : error;
  });
}

async function isFile(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  return found?.isFile() === true;
}
