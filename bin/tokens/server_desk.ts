// The tokens of a running server, over HTTP.
import { Agent, request } from 'undici';
import { z } from 'zod';
import { parsedJson, reasonIn } from '../answers.ts';
import { SCOPES } from '../../supervisor/access/scopes.ts';
import { TokensError, type Desk } from './desk.ts';

const TIMEOUT_MS = 10_000;

const tokenSchema = z.object({
  id: z.string(),
  name: z.string().nullable(),
  user_id: z.string().nullable(),
  scopes: z.array(z.enum(SCOPES)),
  created_at: z.string(),
  expires_at: z.string().nullable(),
});
const newTokenSchema = tokenSchema.extend({ token: z.string() });
const listSchema = z.object({ tokens: z.array(tokenSchema.extend({ last_used_at: z.string().nullable(), use_count: z.int() })) });

/** @param base URL of the server, without a slash at its end @param token with the scope admin */
export function openServerDesk(base: string, token: string): Desk {
  // An agent of our own: it follows no redirect and uses no proxy, whatever the environment says, so that the token goes there and nowhere else.
  const dispatcher = new Agent({ connections: 1, headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS, connect: { timeout: TIMEOUT_MS } });
  const ask = async (method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<unknown> => {
    const headers = { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const { statusCode, body: answer } = await request(`${base}${path}`, { dispatcher, method, headers, ...sent }).catch(unreachable(base));
    const text = await answer.text();
    if (statusCode < 200 || statusCode > 299) throw new TokensError(`${base} refuses: ${reasonIn(text) ?? `status ${statusCode}`}`);
    return text === '' ? null : parsedJson(text);
  };
  return {
    create: async (body) => understood(base, newTokenSchema, await ask('POST', '/tokens', body)),
    list: async () => understood(base, listSchema, await ask('GET', '/tokens')).tokens,
    revoke: async (id) => void (await ask('DELETE', `/tokens/${encodeURIComponent(id)}`)),
    close: () => dispatcher.close(),
  };
}

function unreachable(base: string): (error: unknown) => never {
  return (error) => {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new TokensError(`cannot reach ${base}: ${code ?? message}`, { cause: error });
  };
}

function understood<T>(base: string, schema: z.ZodType<T>, answer: unknown): T {
  const result = schema.safeParse(answer);
  if (!result.success) throw new TokensError(`${base} answers otherwise than expected: it is no server of this version`);
  return result.data;
}
