// Files that go along with the next message of a conversation.
import { openAsBlob } from 'node:fs';
import { stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, resolve } from 'node:path';

export interface Attachment {
  readonly path: string;
  readonly name: string;
  /** Bytes. */
  readonly size: number;
}

/**
 * @param given a path as somebody types it: `~` and quotes are understood
 * @throws Error that says why there is no such file
 */
export async function findAttachment(given: string): Promise<Attachment> {
  const bare = given.replace(/^(['"])(.*)\1$/, '$2');
  if (bare === '') throw new Error('/file: expected a path, such as /file photo.png');
  const path = resolve(bare.replace(/^~(?=\/|$)/, homedir()));
  const found = await stat(path).catch(() => null);
  if (found?.isFile() !== true) throw new Error(`/file: there is no file ${path}`);
  return { path, name: basename(path), size: found.size };
}

/** The same fields as a JSON body, and the files; these are read while they are sent. */
export async function formOf(fields: Readonly<Record<string, unknown>>, files: readonly Attachment[]): Promise<FormData> {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.set(name, String(value));
  for (const { path, name } of files) form.append('files', await openAsBlob(path), name);
  return form;
}
