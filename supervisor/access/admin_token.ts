// The admin token of a data directory: OAI_ADMIN_TOKEN, or a file in it that is made at the first start.
import { chmod, readFile, rename, writeFile } from 'node:fs/promises';
import { Secret } from '../../shared/secret.ts';
import { StartError } from '../start_error.ts';
import { digestOf, makeAdminToken } from './token_form.ts';

export const ADMIN_TOKEN_FILE = 'admin-token';

export interface AdminToken {
  readonly digest: Uint8Array;
  /** Where it is: the variable's name, or the file's path. */
  readonly place: string;
  /** The token itself, where it has been made just now and can be shown once. */
  readonly made: Secret | null;
}

/**
 * Whoever calls has the data directory's lock.
 * @param variable OAI_ADMIN_TOKEN, before which the file counts for nothing
 * @param file path of the file in the data directory
 * @throws StartError where the file cannot be used
 */
export async function openAdminToken(variable: Secret, file: string): Promise<AdminToken> {
  const given = variable.reveal();
  if (given !== null) return { digest: digestOf(given), place: 'OAI_ADMIN_TOKEN', made: null };
  try {
    const kept = await readAdminToken(file);
    const token = kept ?? (await makeFile(file));
    // Whatever it was copied with: it is its owner's alone.
    await chmod(file, 0o600);
    return { digest: digestOf(token), place: file, made: kept === null ? new Secret(token) : null };
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(1, `the admin token ${file} cannot be used: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  }
}

/** @returns null where there is no file @throws StartError where it holds no token; the error of the file system */
export async function readAdminToken(file: string): Promise<string | null> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (text === null) return null;
  const token = text.trim();
  if (/^[\x21-\x7e]{16,256}$/.test(token)) return token;
  throw new StartError(78, `${file}: expected from 16 to 256 characters of ASCII without spaces; where it is removed, the next start makes another`);
}

/** Whole or not at all, so that no start finds half of it. */
async function makeFile(file: string): Promise<string> {
  const token = makeAdminToken();
  const unfinished = `${file}.new`;
  await writeFile(unfinished, `${token}\n`, { mode: 0o600 });
  await rename(unfinished, file);
  return token;
}
