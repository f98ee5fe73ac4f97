// Reads a JSON body: media type, size, syntax, in this order, and nothing before the caller's scope is known.
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { AppError } from '../../shared/errors.ts';
import type { RequestContext } from './context.ts';

/** For the whole body: the server's own limit leaves uploads their time, and a few hundred slow clients would hold it so long. */
const TIMEOUT_MS = 60_000;
const FORM_ELSEWHERE = 'The body must be application/json; a form with files goes to the path that ends in /with-files.';
const JSON_TYPE = /^application\/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?$/i;

/**
 * @param limit bytes
 * @returns what the body parses to; JSON of any type
 * @throws AppError UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE, REQUEST_TIMEOUT, MALFORMED_REQUEST (cut off), MALFORMED_JSON
 */
export async function readJson(
  { request, response }: Pick<RequestContext, 'request' | 'response'>,
  limit: number,
  timeoutMs = TIMEOUT_MS,
): Promise<unknown> {
  const { headers } = request;
  const encoding = headers['content-encoding'];
  if (!JSON_TYPE.test(headers['content-type'] ?? '') || (encoding !== undefined && encoding !== 'identity')) {
    const isForm = headers['content-type']?.startsWith('multipart/form-data') === true;
    throw new AppError('UNSUPPORTED_MEDIA_TYPE', isForm ? { message: FORM_ELSEWHERE } : {});
  }
  if (Number(headers['content-length'] ?? 0) > limit) throw tooLarge(limit);
  if (headers.expect !== undefined) response.writeContinue();
  const body = await readAll(request, limit, timeoutMs);
  if (!isUtf8(body)) throw new AppError('MALFORMED_JSON', { message: 'The body is not valid UTF-8.' });
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch {
    throw new AppError('MALFORMED_JSON');
  }
}

async function readAll(request: IncomingMessage, limit: number, timeoutMs: number): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  let size = 0;
  const take = (chunk: Buffer): void => {
    size += chunk.length;
    if (size <= limit) chunks.push(chunk);
    else reject(tooLarge(limit));
  };
  const timer = setTimeout(() => reject(new AppError('REQUEST_TIMEOUT')), timeoutMs);
  request.on('data', take);
  request.once('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
  request.once('error', () => reject(brokenOff()));
  request.once('close', () => {
    if (!request.complete) reject(brokenOff());
  });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    request.off('data', take);
  }
}

function brokenOff(): AppError {
  return new AppError('MALFORMED_REQUEST', { message: 'The body broke off.' });
}

function tooLarge(limit: number): AppError {
  return new AppError('PAYLOAD_TOO_LARGE', { message: `The body is larger than ${limit} bytes.` });
}
