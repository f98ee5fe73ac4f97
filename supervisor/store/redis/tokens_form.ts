// How a token stands in Redis: JSON, with the digest in hex; its uses are counted beside it.
import { z } from 'zod';
import { SCOPES } from '../../access/scopes.ts';
import type { StoredToken } from '../tokens.ts';

const schema = z.object({
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  name: z.string().nullable(),
  user_id: z.string().nullable(),
  scopes: z.array(z.enum(SCOPES)),
  created_at: z.number(),
  expires_at: z.number().nullable(),
});

export function tokenText({ digest, name, userId, scopes, createdAt, expiresAt }: StoredToken): string {
  const hex = Buffer.from(digest).toString('hex');
  return JSON.stringify({ digest: hex, name, user_id: userId, scopes, created_at: createdAt, expires_at: expiresAt });
}

/** @returns it without its uses; null where it cannot be understood: it lets nobody in */
export function tokenOfText(id: string, text: string): StoredToken | null {
  const { data } = schema.safeParse(parsed(text));
  if (data === undefined) return null;
  const { digest, name, user_id: userId, scopes, created_at: createdAt, expires_at: expiresAt } = data;
  return { id, digest: Buffer.from(digest, 'hex'), name, userId, scopes, createdAt, expiresAt, lastUsedAt: null, useCount: 0 };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
