// The credential of a request, from its raw header fields: node keeps the first of two Authorization fields and joins two x-api-key.
import { AppError } from '../../shared/errors.ts';

/** Fields whose whole value is the token. */
const TOKEN_FIELDS: ReadonlySet<string> = new Set(['x-api-key', 'api-token', 'api_token']);
const BEARER = /^bearer +(\S+)$/i;

/**
 * @returns the token as it was sent; '' for a credential that cannot be one, such as Basic; null where there is none
 * @throws AppError DUPLICATE_CREDENTIALS
 */
export function credentialOf(rawHeaders: readonly string[]): string | null {
  let credential: string | null = null;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase();
    const isAuthorization = name === 'authorization';
    if (!isAuthorization && !TOKEN_FIELDS.has(name)) continue;
    if (credential !== null) throw new AppError('DUPLICATE_CREDENTIALS');
    const value = rawHeaders[i + 1] as string;
    credential = isAuthorization ? (BEARER.exec(value)?.[1] ?? '') : value;
  }
  return credential;
}
