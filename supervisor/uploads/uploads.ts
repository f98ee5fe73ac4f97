// Where uploaded files are for as long as they are needed: while their request comes in, and then until their interaction has ended.
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { UploadedFile } from '../../shared/chat.ts';
import { AppError } from '../../shared/errors.ts';
import type { Logger } from '../log.ts';
import { StartError } from '../start_error.ts';
import { UPLOAD_LIMITS, type UploadLimits } from './limits.ts';
import { Upload } from './upload.ts';

/** So that no interaction's id, which a client may choose, is the name of a folder that is being filled. */
const RECEIVING = 'receiving-';
/** Seconds until one of many uploads may have ended. */
const RETRY_AFTER_S = 5;
const LEFT = 'uploaded files could not be removed; the next start tries again';

/**
 * Makes the folder, and removes what an earlier server has left in it, which was killed or could not remove it.
 * @param folder of the one server that has its data directory
 * @throws StartError
 */
export async function openUploads(folder: string, log: Logger, limits: UploadLimits = UPLOAD_LIMITS): Promise<Uploads> {
  const root = resolve(folder);
  try {
    await mkdir(root, { recursive: true, mode: 0o700 });
    await empty(root);
  } catch (error) {
    throw new StartError(1, `the folder for uploads ${root} cannot be used: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  }
  return new Uploads(root, limits, log);
}

async function empty(root: string): Promise<void> {
  for (const name of await readdir(root)) await rm(join(root, name), { recursive: true, force: true, maxRetries: 3 });
}

export class Uploads {
  readonly limits: UploadLimits;
  readonly #root: string;
  readonly #log: Logger;
  readonly #receiving = new Set<Upload>();
  /** By the interaction that has them. */
  readonly #kept = new Map<string, Upload>();
  /** Removals under way, by the interaction that had the files. */
  readonly #leaving = new Map<string, Promise<void>>();
  readonly #removals = new Set<Promise<void>>();

  /** @param root absolute */
  constructor(root: string, limits: UploadLimits, log: Logger) {
    this.#root = root;
    this.limits = limits;
    this.#log = log;
  }

  /** Begins to receive the files of one request, which are then kept or discarded. @throws AppError QUEUE_FULL */
  begin(): Upload {
    if (this.#receiving.size >= this.limits.uploads) {
      throw new AppError('QUEUE_FULL', { message: 'Too many uploads are in progress.', retryAfterS: RETRY_AFTER_S });
    }
    const upload = new Upload(join(this.#root, `${RECEIVING}${randomUUID()}`), this.limits, this.#log);
    this.#receiving.add(upload);
    return upload;
  }

  /**
   * Gives an interaction that was just admitted its files, until `release`.
   * @returns the files in their place @throws the file system's error
   */
  async keep(upload: Upload, interactionId: string): Promise<readonly UploadedFile[]> {
    this.#kept.set(interactionId, upload);
    // An earlier interaction may have had the same id, and be forgotten already.
    const free = this.#leaving.get(interactionId) ?? Promise.resolve();
    const files = await upload.keepAs(join(this.#root, interactionId), free);
    this.#receiving.delete(upload);
    return files;
  }

  /** The interaction has ended: what it had of files goes. */
  release(interactionId: string): void {
    const upload = this.#kept.get(interactionId);
    if (upload === undefined) return;
    this.#kept.delete(interactionId);
    const removed = this.#remove(upload).then(() => {
      // The id may be free once more, and the files of the next one on their way out.
      if (this.#leaving.get(interactionId) === removed) this.#leaving.delete(interactionId);
    });
    this.#leaving.set(interactionId, removed);
  }

  /** Removes what there is of an upload that no interaction has, in the background. */
  discard(upload: Upload): void {
    void this.#remove(upload);
  }

  /** Nothing is received any more, and no interaction lives: resolves when every file is gone. */
  async close(): Promise<void> {
    for (const upload of [...this.#receiving, ...this.#kept.values()]) this.discard(upload);
    await Promise.all(this.#removals);
    await empty(this.#root).catch((error: unknown) => this.#log.warn({ err: error }, LEFT));
  }

  #remove(upload: Upload): Promise<void> {
    const removed = upload
      .remove()
      .catch((error: unknown) => this.#log.warn({ err: error }, LEFT))
      .then(() => {
        this.#receiving.delete(upload);
        this.#removals.delete(removed);
      });
    this.#removals.add(removed);
    return removed;
  }
}
