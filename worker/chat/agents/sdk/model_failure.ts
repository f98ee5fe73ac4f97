// What an error of a model's client means, in words that may reach a client. By shape: the classes are those of the agent's own copies.
import { AppError } from '../../../../shared/errors.ts';
import { cutFailed, malformedFailed, modelFailed, silenceFailed, statusFailed, toldFailed } from '../../engine/failure.ts';
import { retryAfterMs } from '../../engine/retry.ts';
import type { Told } from './stream_check.ts';

const MAX_CAUSES = 5;

/**
 * @param told what the stream said itself before it ended
 * @param secrets values that must not be in the words
 */
export function modelFailure(error: Error, told: Told | null, secrets: readonly string[]): AppError {
  if (error instanceof AppError) return error;
  if ('status' in error && typeof error.status === 'number') return statusFailed(error.status, bodyOf(error), secrets, waitOf(error));
  if ('timeoutMs' in error && typeof error.timeoutMs === 'number') return silenceFailed(error.timeoutMs);
  if (told !== null) return toldFailure(told, secrets, error);
  if (error instanceof SyntaxError) return malformedFailed('a chunk that is not JSON', error);
  // An APIError without a status: an error event in the stream, or no connection.
  if ('requestID' in error && 'error' in error && error.error !== undefined) return toldFailed(error.message, secrets);
  const code = codeOf(error);
  if ('requestID' in error) return modelFailed(`The model's server could not be reached${code === '' ? '' : ` (${code})`}.`, error);
  if (error.message === 'terminated' || code.startsWith('UND_ERR_') || code === 'ECONNRESET') return cutFailed(error);
  return modelFailed('The model failed.', error);
}

/** Takes the secrets out of an error's message and stack, which providers put parts of the key into. */
export function hideSecrets(error: Error, secrets: readonly string[]): void {
  for (let each: unknown = error, causes = 0; each instanceof Error && causes < MAX_CAUSES; each = each.cause, causes += 1) {
    for (const name of ['message', 'stack'] as const) {
      const words = each[name];
      if (words === undefined || !secrets.some((secret) => words.includes(secret))) continue;
      const hidden = secrets.reduce((text, secret) => text.replaceAll(secret, '***'), words);
      Object.defineProperty(each, name, { value: hidden, writable: true, configurable: true, enumerable: false });
    }
  }
}

function toldFailure({ event, words }: Told, secrets: readonly string[], cause: Error): AppError {
  if (event === 'failed') return toldFailed(words, secrets);
  return modelFailed(words === 'max_output_tokens' ? "The model's answer is longer than it may be." : "The model's answer is incomplete.", cause);
}

function bodyOf(error: object): string {
  return 'error' in error ? JSON.stringify({ error: error.error }) : '';
}

function waitOf(error: object): number | null {
  return 'headers' in error && error.headers instanceof Headers ? retryAfterMs(Object.fromEntries(error.headers), Date.now()) : null;
}

/** The code of the error, or of the first of its causes that has one. */
function codeOf(error: Error): string {
  for (let each: unknown = error, causes = 0; each instanceof Error && causes < MAX_CAUSES; each = each.cause, causes += 1) {
    if ('code' in each && typeof each.code === 'string') return each.code;
  }
  return '';
}
