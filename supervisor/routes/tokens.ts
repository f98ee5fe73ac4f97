// The routes of mode tokens: make, list, revoke.
import { z } from 'zod';
import { parseTokenRequest, tokenBodySchema, tokenJson, usedTokenJson } from '../access/token_request.ts';
import type { App } from '../app.ts';
import { readJson } from '../http/body.ts';
import { sendEmpty, sendJson, type RequestContext } from '../http/context.ts';
import type { Route } from './route.ts';
import { newTokenSchema, tokensSchema } from './schemas.ts';

const MAX_BODY_BYTES = 64 * 1024;

export function tokenRoutes({ tokens }: App): readonly Route[] {
  const create = async (context: RequestContext): Promise<void> => {
    const body = await readJson(context, MAX_BODY_BYTES);
    // A body can be held back for as long as it takes somebody to notice that the token is lost, and to revoke it.
    tokens.recheck(context.caller);
    const { token, stored } = await tokens.create(parseTokenRequest(body), context.caller);
    const { id, ...rest } = tokenJson(stored);
    sendJson(context, 201, JSON.stringify({ id, token, ...rest }));
  };

  const list = async (context: RequestContext): Promise<void> => {
    const all = await tokens.list();
    sendJson(context, 200, JSON.stringify({ total: all.length, tokens: all.map(usedTokenJson) }));
  };

  const revoke = async (context: RequestContext): Promise<void> => {
    await tokens.revoke(context.params['token_id'] as string, context.caller);
    sendEmpty(context.response, 204);
  };

  const row = { mode: 'tokens', scope: 'admin' } as const;
  return [
    {
      ...row,
      method: 'POST',
      path: '/tokens',
      summary: 'Make a token, which is shown this once',
      body: tokenBodySchema,
      success: { status: 201, description: 'The token.', schema: newTokenSchema },
      errors: ['MALFORMED_JSON', 'REQUEST_TIMEOUT', 'TOO_MANY_TOKENS', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE', 'VALIDATION_FAILED'],
      handle: create,
    },
    {
      ...row,
      method: 'GET',
      path: '/tokens',
      summary: 'The tokens that there are',
      success: { status: 200, description: 'All tokens, oldest first, without their secrets.', schema: tokensSchema },
      errors: [],
      handle: list,
    },
    {
      ...row,
      method: 'DELETE',
      path: '/tokens/{token_id}',
      summary: 'Revoke a token, and end what it has begun',
      success: { status: 204, description: 'It is valid no more.', schema: z.undefined() },
      errors: ['TOKEN_NOT_FOUND'],
      handle: revoke,
    },
  ];
}
