// What a row of the route table says.
import type { z } from 'zod';
import type { Mode } from '../../shared/config.ts';
import type { ErrorCode } from '../../shared/errors.ts';
import type { Scope } from '../access/scopes.ts';
import type { RequestContext } from '../http/context.ts';

export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** With parameters in braces: `/chat/{interaction_id}`. */
  readonly path: string;
  readonly mode: Mode | 'always';
  readonly scope: Scope | 'open';
  readonly summary: string;
  /** Of the body, for /openapi.json; the handler validates with the same. */
  readonly body?: z.ZodType;
  /** Left out: application/json. */
  readonly bodyType?: 'multipart/form-data';
  readonly success: { readonly status: number; readonly description: string; readonly contentType?: string; readonly schema?: z.ZodType };
  /** The codes that this route can answer with, beside those of every route. */
  readonly errors: readonly ErrorCode[];
  /** The answer is an event stream. */
  readonly streams?: boolean;
  readonly handle: (context: RequestContext) => void | Promise<void>;
}
