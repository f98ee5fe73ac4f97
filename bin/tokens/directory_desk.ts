// The tokens of a data directory whose server does not run: its lock is taken as a server would take it.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { openDataDirectory } from '../../supervisor/data_directory.ts';
import { openEmbeddedStore, type EmbeddedStore } from '../../supervisor/store/embedded.ts';
import { TokensError, type Desk } from './desk.ts';
import { openStoreDesk } from './store_desk.ts';

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
  return openStoreDesk(store.tokens, () => {
    store.close();
    directory.close();
  });
}

async function isFile(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  return found?.isFile() === true;
}
