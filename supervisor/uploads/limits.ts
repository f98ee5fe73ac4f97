// How much may be uploaded. MB are 1024 × 1024 bytes, as in every other size of this server.

export const MB = 1024 * 1024;

export interface UploadLimits {
  /** Of one request. */
  readonly files: number;
  /** Bytes of one file. */
  readonly fileBytes: number;
  /** Bytes of all files of one request together. */
  readonly totalBytes: number;
  /**
   * Requests that are being received at once: so many times `totalBytes` is what unfinished uploads can take of the disk, and each has a few buffers.
   * One more is refused with QUEUE_FULL.
   */
  readonly uploads: number;
}

export const UPLOAD_LIMITS: UploadLimits = { files: 10, fileBytes: 25 * MB, totalBytes: 100 * MB, uploads: 64 };
