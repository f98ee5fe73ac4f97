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
  /** Parameters of the query, for /openapi.json; the handler validates with the same. */
  readonly query?: z.ZodObject;
  /** Of the body, for /openapi.json; the handler validates with the same. */
  readonly body?: z.ZodType;
  /** Left out: application/json. */
  readonly bodyType?: 'multipart/form-data';
  readonly success: {
    readonly status: number;
    readonly description: string;
    /** Left out: application/json. */
    readonly contentType?: string;
    readonly schema?: z.ZodType;
    /** Further ones, which a parameter chooses. */
    readonly otherTypes?: readonly string[];
  };
  /** The codes that this route can answer with, beside those of every route. */
  readonly errors: readonly ErrorCode[];
  /** What the request's head asks for beyond the route's scope; before anything is counted. @throws AppError FORBIDDEN */
  readonly authorize?: (context: RequestContext) => void;
  /** It starts an interaction: RATE_LIMIT_CHAT counts it, before anything of its body is read. */
  readonly limited?: boolean;
  /** The answer is an event stream. */
  readonly streams?: boolean;
  readonly handle: (context: RequestContext) => void | Promise<void>;
}
