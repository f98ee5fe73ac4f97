// When a failed model call is worth another attempt, and how long to wait before it.
import { errorCode } from './failure.ts';

const RETRIED_STATUS = new Set([408, 409, 429]);

/** Connections that were refused, lost or not found: nothing of an answer has come. Wrong certificates and invalid requests stay wrong. */
const RETRIED_CODES = new Set([
  'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN',
  'UND_ERR_SOCKET', 'UND_ERR_CONNECT_TIMEOUT',
]);

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 8_000;

export function isRetriedStatus(status: number): boolean {
  return RETRIED_STATUS.has(status) || status >= 500;
}

export function isRetriedError(error: unknown): boolean {
  return RETRIED_CODES.has(errorCode(error));
}

/** Backoff before attempt `attempt` (from 1), in ms: 0.5 s doubling, less up to a quarter so that a crowd does not come back at once. */
export function backoffMs(attempt: number): number {
  return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempt - 1)) * (1 - Math.random() * 0.25);
}

/** What the upstream asks to wait, in ms: `retry-after-ms`, or Retry-After in seconds or as a date (RFC 9110, 10.2.3). Null: it does not say. */
export function retryAfterMs(headers: Readonly<Record<string, string | string[] | undefined>>, now: number): number | null {
  const precise = Number(headers['retry-after-ms'] ?? Number.NaN);
  if (precise >= 0) return precise;
  const text = headers['retry-after'];
  if (typeof text !== 'string' || text.trim() === '') return null;
  const seconds = Number(text);
  if (seconds >= 0) return seconds * 1000;
  // Date.parse takes much that is no date of HTTP, such as -1.
  const date = /^[A-Za-z]{3,9}, /.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}
