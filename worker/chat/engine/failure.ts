// The errors that a model call ends with, in words that may reach a client: nothing of the address, of the key or of a stack.
import { AppError } from '../../../shared/errors.ts';
import { scrub } from './scrub.ts';

/** Longest piece of the upstream's own words in a sentence of ours. */
const QUOTE_LIMIT = 300;

export function modelFailed(message: string, cause?: unknown): AppError {
  return new AppError('MODEL_FAILED', { message }, cause === undefined ? {} : { cause });
}

/** A status that is no success. 401 and 403 have fixed words: providers repeat parts of the key in theirs. */
export function statusFailed(status: number, body: string, secrets: readonly string[], waitMs: number | null): AppError {
  if (status === 401 || status === 403) return new AppError('MODEL_AUTH_FAILED');
  const wait = waitMs === null || waitMs === 0 ? '' : ` It asks to wait ${Math.ceil(waitMs / 1000)} s.`;
  return modelFailed(`The model's server answered with status ${status}${quoted(errorMessage(body), secrets)}.${wait}`);
}

/** An error that the upstream told inside its stream, or in a body where a stream was due. */
export function toldFailed(message: unknown, secrets: readonly string[]): AppError {
  return modelFailed(`The model's server reported an error${quoted(typeof message === 'string' ? message : '', secrets)}.`);
}

/** A connection that could not be made or broke before the answer began. Only the code: messages of sockets name addresses. */
export function connectionFailed(error: unknown): AppError {
  const code = errorCode(error);
  return modelFailed(`The model's server could not be reached${code === '' ? '' : ` (${code})`}.`, error);
}

export function silenceFailed(timeoutMs: number): AppError {
  return modelFailed(`The model's server was silent for ${timeoutMs / 1000} s.`);
}

export function cutFailed(cause?: unknown): AppError {
  return modelFailed("The model's answer was cut off before its end.", cause);
}

/** A chunk that is not what the API's description says. */
export function malformedFailed(what: string, cause?: unknown): AppError {
  return modelFailed(`The model's server sent ${what}.`, cause);
}

/** `code` of a socket's or undici's error; '' where there is none. */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** The `error.message` of an error body: OpenAI's form, and the `error: "…"` and `message: "…"` of servers that are nearly compatible. */
function errorMessage(body: string): string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return '';
  }
  const error = member(parsed, 'error') ?? parsed;
  const message = typeof error === 'string' ? error : member(error, 'message');
  return typeof message === 'string' ? message : '';
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
}

function quoted(message: string, secrets: readonly string[]): string {
  const words = scrub(message, secrets, QUOTE_LIMIT).replace(/\.$/, '');
  return words === '' ? '' : `: ${words}`;
}
