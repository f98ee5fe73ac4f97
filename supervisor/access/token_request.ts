// What is asked for when a token is made, and how a token is shown: over HTTP and on the command line alike.
import { z } from 'zod';
import { unknownText } from '../../shared/agent/nearest.ts';
import { AppError } from '../../shared/errors.ts';
import { plainText } from '../../shared/plain_text.ts';
import type { StoredToken } from '../store/tokens.ts';
import { SCOPES, type Scope } from './scopes.ts';

const MAX_USER_ID_LENGTH = 256;
const MAX_NAME_LENGTH = 128;
/** Ten years. */
export const MAX_TTL_S = 3650 * 86_400;
/** Of a body with many faults so many are told. */
const MAX_ERRORS = 20;

const SCOPES_TEXT = `expected at least one of ${SCOPES.join(', ')}, each once`;
const TTL_TEXT = `expected a whole number of seconds from 1 to ${MAX_TTL_S}`;

/** null is removed before, as if the key were absent. */
export const tokenBodySchema = z.object({
  scopes: z
    .array(z.enum(SCOPES, { error: SCOPES_TEXT }), { error: SCOPES_TEXT })
    .min(1, SCOPES_TEXT)
    .refine((scopes) => new Set(scopes).size === scopes.length, SCOPES_TEXT),
  user_id: plainText(MAX_USER_ID_LENGTH)
    .optional()
    .describe("Whom the token belongs to. Without one it is a service's: each chat request says with its `user_id` whom it is for."),
  name: plainText(MAX_NAME_LENGTH).optional().describe('For the people who look after the tokens.'),
  ttl_seconds: z.int({ error: TTL_TEXT }).min(1, TTL_TEXT).max(MAX_TTL_S, TTL_TEXT).optional().describe('Without it the token does not expire.'),
});

export interface TokenRequest {
  readonly scopes: readonly Scope[];
  readonly userId: string | null;
  readonly name: string | null;
  readonly ttlMs: number | null;
}

/** @throws AppError VALIDATION_FAILED with every field that is wrong */
export function parseTokenRequest(body: unknown): TokenRequest {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new AppError('VALIDATION_FAILED', { message: 'body: expected an object' });
  }
  const known = Object.keys(tokenBodySchema.shape);
  const given = Object.keys(body).filter((name) => Reflect.get(body, name) !== null);
  const names = known.filter((name) => given.includes(name));
  // Without the `user_id` or `ttl_seconds` that was meant it would be a token for everybody, or for ever.
  const unknown = given.filter((name) => !known.includes(name)).slice(0, MAX_ERRORS).map((name) => ({ path: name.slice(0, MAX_NAME_LENGTH), message: unknownText('field', name, known) }));
  const parsed = tokenBodySchema.safeParse(Object.fromEntries(names.map((name) => [name, Reflect.get(body, name) as unknown])));
  if (!parsed.success || unknown.length > 0) {
    const wrong = (parsed.error?.issues ?? []).map(({ path, message }) => ({ path: path.join('.'), message }));
    const errors = [...unknown, ...wrong].slice(0, MAX_ERRORS);
    throw new AppError('VALIDATION_FAILED', { message: `${errors[0]?.path}: ${errors[0]?.message}`, errors });
  }
  const { scopes, user_id: userId = null, name = null, ttl_seconds: ttlS } = parsed.data;
  return { scopes: SCOPES.filter((scope) => scopes.includes(scope)), userId, name, ttlMs: ttlS === undefined ? null : ttlS * 1000 };
}

export interface TokenJson {
  readonly id: string;
  readonly name: string | null;
  readonly user_id: string | null;
  readonly scopes: readonly Scope[];
  readonly created_at: string;
  readonly expires_at: string | null;
}

/** As GET /tokens shows it. */
export interface UsedTokenJson extends TokenJson {
  readonly last_used_at: string | null;
  readonly use_count: number;
}

export function tokenJson({ id, name, userId, scopes, createdAt, expiresAt }: StoredToken): TokenJson {
  return { id, name, user_id: userId, scopes, created_at: new Date(createdAt).toISOString(), expires_at: isoTime(expiresAt) };
}

export function usedTokenJson(token: StoredToken): UsedTokenJson {
  return { ...tokenJson(token), last_used_at: isoTime(token.lastUsedAt), use_count: token.useCount };
}

function isoTime(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
