// The files of one request: streamed into a folder of their own, which becomes the interaction's when it is admitted.
import { mkdir, open, rename, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { UploadedFile } from '../../shared/chat.ts';
import { AppError } from '../../shared/errors.ts';
import type { Logger } from '../log.ts';
import { nameKey, safeFileName } from './file_name.ts';
import { MB, type UploadLimits } from './limits.ts';
import { HEAD_BYTES, mediaTypeOf, prepareMediaTypes } from './sniff.ts';

interface ReceivedFile {
  readonly name: string;
  size: number;
  type: Promise<string> | string;
}

export class Upload {
  readonly #limits: UploadLimits;
  readonly #log: Logger;
  readonly #files = new Set<ReceivedFile>();
  readonly #names = new Set<string>();
  /** All that may still touch the folder. */
  readonly #work: Promise<unknown>[] = [];
  #folder: string;
  #made: Promise<unknown> | undefined;
  #removed: Promise<void> | undefined;
  #bytes = 0;

  /** @param folder that does not exist yet; made with the first file */
  constructor(folder: string, limits: UploadLimits, log: Logger) {
    this.#folder = folder;
    this.#limits = limits;
    this.#log = log;
  }

  get isEmpty(): boolean {
    return this.#files.size === 0;
  }

  /**
   * Stores one more file, at the speed of the disk; resolves when it is closed. One without a name and without a byte is what a browser sends for a
   * field that nobody filled: it is no file.
   * @param given the client's name for it @param declared the client's media type
   * @throws AppError PAYLOAD_TOO_LARGE, STORE_UNAVAILABLE; the stream's own error
   */
  store(given: string | undefined, declared: string, stream: Readable): Promise<void> {
    prepareMediaTypes();
    const stored = this.#store(given, declared, stream);
    this.#work.push(stored);
    return stored;
  }

  /** Renames the folder, all being stored. @param free there is no other one of that name @returns the files @throws the file system's error */
  keepAs(folder: string, free: Promise<void>): Promise<readonly UploadedFile[]> {
    const kept = this.#keepAs(folder, free);
    this.#work.push(kept);
    return kept;
  }

  /** Removes the folder, once nothing writes to it any more; calling it again joins the first. @throws the file system's error */
  remove(): Promise<void> {
    this.#removed ??= Promise.allSettled(this.#work).then(async () => {
      if (this.#made !== undefined) await rm(this.#folder, { recursive: true, force: true, maxRetries: 3 });
    });
    return this.#removed;
  }

  async #store(given: string | undefined, declared: string, stream: Readable): Promise<void> {
    const name = safeFileName(given, (key) => this.#names.has(key));
    this.#names.add(nameKey(name));
    const file: ReceivedFile = { name, size: 0, type: '' };
    this.#files.add(file);
    this.#made ??= mkdir(this.#folder, { mode: 0o700 });
    await this.#onDisk(this.#made);
    const path = join(this.#folder, name);
    const head = await this.#write(path, stream, file);
    if (given === undefined && file.size === 0) {
      this.#files.delete(file);
      await this.#onDisk(unlink(path));
      return;
    }
    const type = mediaTypeOf(head, file.size === head.length, declared);
    // Whoever wants to know it is told of its failure; nobody may.
    type.catch(() => undefined);
    file.type = type;
  }

  /** @returns the beginning of the file */
  async #write(path: string, stream: Readable, file: ReceivedFile): Promise<Buffer> {
    let head: Buffer = Buffer.alloc(0);
    const handle = await this.#onDisk(open(path, 'wx', 0o600));
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        this.#count(file, chunk.length);
        if (head.length < HEAD_BYTES) head = Buffer.concat([head, chunk.subarray(0, HEAD_BYTES - head.length)]);
        await this.#onDisk(handle.writeFile(chunk));
      }
    } finally {
      await this.#onDisk(handle.close());
    }
    return head;
  }

  #count(file: ReceivedFile, bytes: number): void {
    const { fileBytes, totalBytes } = this.#limits;
    file.size += bytes;
    this.#bytes += bytes;
    const limit = file.size > fileBytes ? `"${file.name}" is larger than ${fileBytes / MB} MB` : `together larger than ${totalBytes / MB} MB`;
    if (file.size > fileBytes || this.#bytes > totalBytes) throw new AppError('PAYLOAD_TOO_LARGE', { message: `files: ${limit}` });
  }

  async #keepAs(folder: string, free: Promise<void>): Promise<readonly UploadedFile[]> {
    const files = [...this.#files].map(async ({ name, type, size }) => ({ name, type: await type, size, path: join(folder, name) }));
    const kept = await Promise.all(files);
    await free;
    await rename(this.#folder, folder);
    this.#folder = folder;
    return kept;
  }

  /** @throws AppError STORE_UNAVAILABLE instead of the file system's own error, which names paths */
  async #onDisk<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      this.#log.error({ err: error }, 'an upload could not be stored');
      throw new AppError('STORE_UNAVAILABLE', { message: 'The files could not be stored.' }, { cause: error });
    }
  }
}
