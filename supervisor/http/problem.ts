// Turns whatever was thrown into an answer: application/problem+json (RFC 9457), in the words of the one table of errors.
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import { AppError, ERRORS } from '../../shared/errors.ts';
import { send } from './context.ts';
import { endEarly } from './early_answer.ts';

const PROBLEM = 'application/problem+json';
/** Seconds, where the place that throws knows nothing better. */
const RETRY_AFTER_S = 1;

/** RFC 9110's names where node still has older ones. */
const TITLES: Readonly<Record<number, string>> = { 413: 'Content Too Large', 422: 'Unprocessable Content' };

/** @returns the error as it may be told: what is no AppError says nothing of itself */
export function toAppError(error: unknown): AppError {
  return error instanceof AppError ? error : new AppError('INTERNAL', {}, { cause: error });
}

/** Answers with the error, unless an answer has begun. */
export function sendProblem(response: ServerResponse, error: AppError, requestId: string): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  // A body that was not read to its end cannot be followed by another request.
  const unread = hasBody(response.req) && !response.req.complete;
  response.statusMessage = titleOf(error.status);
  const headers = {
    ...(retries(error) ? { 'Retry-After': String(error.details.retryAfterS ?? RETRY_AFTER_S) } : {}),
    ...(unread ? { Connection: 'close' } : {}),
    ...error.details.headers,
  };
  send(response, error.status, PROBLEM, problemJson(error, requestId), headers, unread ? endEarly : undefined);
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** The same for a connection whose request could not even be parsed. */
export function rawProblem(error: AppError, requestId: string): string {
  const body = problemJson(error, requestId);
  return (
    `HTTP/1.1 ${error.status} ${titleOf(error.status)}\r\nContent-Type: ${PROBLEM}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
    `X-Request-ID: ${requestId}\r\nConnection: close\r\n\r\n${body}`
  );
}

function problemJson(error: AppError, requestId: string): string {
  const { status, code, message } = error;
  const { errors, interactionId } = error.details;
  return JSON.stringify({
    type: 'about:blank',
    title: titleOf(status),
    status,
    detail: message,
    code,
    request_id: requestId,
    ...(interactionId === undefined ? {} : { interaction_id: interactionId }),
    ...(errors === undefined ? {} : { errors }),
  });
}

function titleOf(status: number): string {
  return TITLES[status] ?? STATUS_CODES[status] ?? 'Error';
}

function retries(error: AppError): boolean {
  return error.details.retryAfterS !== undefined || 'retry' in ERRORS[error.code];
}
