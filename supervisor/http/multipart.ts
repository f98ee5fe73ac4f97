// Reads a multipart/form-data body part by part as it comes in (RFC 7578): media type, size, form, in this order, in bounded memory and time.
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { MIMEType } from 'node:util';
import busboy from 'busboy';
import { AppError } from '../../shared/errors.ts';
import type { RequestContext } from './context.ts';
import { countParts, type PartCount } from './part_count.ts';

/** Longest time without a byte of the body, and for all of it: 100 MB at 1.4 Mbit/s. */
export const UPLOAD_SILENCE_MS = 30_000;
export const UPLOAD_TIMEOUT_MS = 600_000;

export interface MultipartLimits {
  /** Of the whole body, in bytes. */
  readonly bodyBytes: number;
  readonly files: number;
  readonly fields: number;
  /** What is longer is cut: both are one byte more than what is allowed, so that whoever gets the part can tell. */
  readonly fieldBytes: number;
  readonly fileBytes: number;
  readonly silenceMs: number;
  readonly totalMs: number;
}

/** What is done with the parts, in the order of the body. What it throws ends the reading. */
export interface PartReader {
  /** @param value undefined where its charset is not known @param isCut it was longer than `fieldBytes` */
  field(name: string | undefined, value: string | undefined, isCut: boolean): void;
  /** Reads the file to its end. @param filename undefined where there is none, or it is empty @param type in lower case, without parameters */
  file(name: string | undefined, filename: string | undefined, type: string, stream: Readable): Promise<void>;
}

/** RFC 2046, section 5.1.1. */
const BOUNDARY = /^[\w'()+,./:=? -]{0,69}[\w'()+,./:=?-]$/;
const BROKEN_OFF = 'The body broke off.';

/**
 * The checks that need the head only.
 * @param limit bytes @returns the boundary
 * @throws AppError UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE
 */
export function multipartBoundary({ headers }: IncomingMessage, limit: number): string {
  const encoding = headers['content-encoding'];
  const boundary = boundaryOf(headers['content-type'] ?? '');
  if (boundary === undefined || (encoding !== undefined && encoding !== 'identity')) {
    throw new AppError('UNSUPPORTED_MEDIA_TYPE', { message: 'The body must be multipart/form-data with a boundary, not encoded.' });
  }
  if (Number(headers['content-length'] ?? 0) > limit) throw tooLarge(limit);
  return boundary;
}

/**
 * Reads the body. Resolves when every part has been read and the body is complete; rejects at the first fault, after which every open stream fails.
 * @throws AppError PAYLOAD_TOO_LARGE, MALFORMED_REQUEST, REQUEST_TIMEOUT; what the reader throws
 */
export async function readMultipart(
  { request, response }: Pick<RequestContext, 'request' | 'response'>,
  boundary: string,
  limits: MultipartLimits,
  reader: PartReader,
): Promise<void> {
  if (request.headers.expect !== undefined) response.writeContinue();
  /** Aborted by the first fault, which is its reason. */
  const fault = new AbortController();
  const parser = parserOf(boundary, limits);
  const count = countParts(boundary);
  const read = readParts(parser, limits, reader, fault);
  const stop = pour(request, parser, count, limits, fault);
  const aborted = new Promise<never>((_resolve, reject) => {
    fault.signal.addEventListener('abort', () => {
      reject(fault.signal.reason as Error);
      parser.destroy();
    });
  });
  const complete = new Promise<void>((resolve) => parser.once('close', resolve)).then(() => Promise.all(read.files));
  try {
    await Promise.race([complete, aborted]);
    if (read.parts !== count.parts) throw malformed('Malformed part header');
  } finally {
    stop();
  }
}

interface ReadParts {
  parts: number;
  readonly files: Promise<void>[];
}

/** Gives the parts to their reader. @returns what has been given so far */
function readParts(parser: busboy.Busboy, limits: MultipartLimits, reader: PartReader, fault: AbortController): ReadParts {
  const read: ReadParts = { parts: 0, files: [] };
  parser.on('field', (name: string | undefined, value: string | undefined, { valueTruncated }) => {
    read.parts += 1;
    try {
      if (!fault.signal.aborted) reader.field(name, value, valueTruncated);
    } catch (error) {
      fault.abort(error);
    }
  });
  parser.on('file', (name: string | undefined, stream, { filename, mimeType }: { filename?: string; mimeType: string }) => {
    // A stream that fails without a listener ends the process; it fails when the parser does, which says why.
    stream.on('error', () => undefined);
    read.parts += 1;
    if (fault.signal.aborted) {
      stream.resume();
      return;
    }
    const file = reader.file(name, filename, mimeType, stream);
    file.catch((error: unknown) => {
      if (error !== stream.errored) fault.abort(error);
    });
    read.files.push(file);
  });
  parser.on('filesLimit', () => fault.abort(new AppError('PAYLOAD_TOO_LARGE', { message: `files: more than ${limits.files}` })));
  parser.on('fieldsLimit', () => fault.abort(new AppError('PAYLOAD_TOO_LARGE', { message: `The body has more than ${limits.fields} fields.` })));
  parser.on('error', (error: unknown) => fault.abort(malformed(error instanceof Error ? error.message : '')));
  return read;
}

/** Pours the body into the parser, at the parser's pace. @returns ends that */
function pour(request: IncomingMessage, parser: busboy.Busboy, count: PartCount, limits: MultipartLimits, fault: AbortController): () => void {
  let bytes = 0;
  const stopTimers = limitTime(request, limits, fault);
  const take = (chunk: Buffer): void => {
    bytes += chunk.length;
    if (bytes > limits.bodyBytes) {
      fault.abort(tooLarge(limits.bodyBytes));
      return;
    }
    const mine = count.push(chunk);
    if (mine === 0 || parser.write(chunk.subarray(0, mine)) || fault.signal.aborted) return;
    // The disk is slower than the line.
    request.pause();
    parser.once('drain', () => request.resume());
  };
  const end = (): void => void parser.end();
  request.on('data', take).once('end', end);
  request.once('error', () => fault.abort(malformed(BROKEN_OFF)));
  request.once('close', () => {
    if (!request.complete) fault.abort(malformed(BROKEN_OFF));
  });
  return () => {
    stopTimers();
    request.off('data', take).off('end', end);
  };
}

function boundaryOf(contentType: string): string | undefined {
  try {
    const { essence, params } = new MIMEType(contentType);
    const boundary = params.get('boundary') ?? '';
    return essence === 'multipart/form-data' && BOUNDARY.test(boundary) ? boundary : undefined;
  } catch {
    return undefined;
  }
}

function parserOf(boundary: string, { files, fields, fieldBytes, fileBytes }: MultipartLimits): busboy.Busboy {
  return busboy({
    headers: { 'content-type': `multipart/form-data; boundary="${boundary}"` },
    defParamCharset: 'utf8',
    preservePath: true,
    limits: { files, fields, fieldSize: fieldBytes, fileSize: fileBytes },
  });
}

/** While it is us who do not read, nobody is silent. @returns what ends the timers */
function limitTime(request: IncomingMessage, { silenceMs, totalMs }: MultipartLimits, fault: AbortController): () => void {
  const late = (message: string): void => fault.abort(new AppError('REQUEST_TIMEOUT', { message }));
  // This one goes on after the end: what was received has to be stored in that time, too.
  const total = setTimeout(() => late(`The body took longer than ${totalMs / 1000} s.`), totalMs);
  const silence = setTimeout(() => {
    if (request.isPaused()) silence.refresh();
    else late(`Nothing of the body came for ${silenceMs / 1000} s.`);
  }, silenceMs);
  const heard = (): void => void silence.refresh();
  const heardAll = (): void => clearTimeout(silence);
  request.on('data', heard).on('resume', heard).once('end', heardAll);
  return () => {
    request.off('data', heard).off('resume', heard).off('end', heardAll);
    clearTimeout(total);
    clearTimeout(silence);
  };
}

/** What busboy says, and what we say. */
const FAULTS: Readonly<Record<string, string>> = {
  'Malformed part header': 'The body is no multipart/form-data: a part has a malformed header.',
  'Unexpected end of form': 'The body is no multipart/form-data: it ends before its closing boundary.',
  [BROKEN_OFF]: BROKEN_OFF,
};

function malformed(fault: string): AppError {
  return new AppError('MALFORMED_REQUEST', { message: FAULTS[fault] ?? 'The body is no multipart/form-data.' });
}

function tooLarge(limit: number): AppError {
  return new AppError('PAYLOAD_TOO_LARGE', { message: `The body is larger than ${limit} bytes.` });
}
