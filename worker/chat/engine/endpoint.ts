// Where a model call goes: the agent file's base URL, else the environment's, else OpenAI's.
import { baseUrlProblem } from '../../../shared/agent/base_url.ts';
import { modelFailed } from './failure.ts';
import type { Environment } from './model.ts';

const OPENAI_BASE_URL = 'https://api.openai.com/v1';

export interface Endpoint {
  readonly origin: string;
  /** With the base URL's query, where it has one. */
  readonly path: string;
  /** True when nobody named a base URL. */
  readonly isDefault: boolean;
}

/**
 * @param baseUrl the agent file's, checked when it was loaded
 * @throws AppError MODEL_FAILED when OPENAI_BASE_URL is no base URL
 */
export function endpointOf(baseUrl: string | null, env: Environment, apiPath: string): Endpoint {
  const named = baseUrl ?? baseUrlIn(env);
  const problem = named === null ? null : baseUrlProblem(named);
  if (problem !== null) throw modelFailed(`OPENAI_BASE_URL must be ${problem}.`);
  const url = new URL(named ?? OPENAI_BASE_URL);
  return { origin: url.origin, path: `${url.pathname.replace(/\/+$/, '')}${apiPath}${url.search}`, isDefault: named === null };
}

/** OPENAI_BASE_URL; null where it is not set, or empty. */
export function baseUrlIn(env: Environment): string | null {
  const text = env['OPENAI_BASE_URL']?.trim() ?? '';
  return text === '' ? null : text;
}
