// The two OpenAI interfaces that the bench speaks, and the two paces of its model.

export const APIS = ['chat_completions', 'responses'] as const;
export type Api = (typeof APIS)[number];

export const PACES = ['fast', 'paced'] as const;
/** fast: the whole answer at once. paced: a token every `TOKEN_INTERVAL_MS`. */
export type Pace = (typeof PACES)[number];

/** Tells the agent of @openai/agents which API to speak: the package has no variable for it. */
export const SDK_API_VARIABLE = 'BENCH_API';

/** The path of an API under its base URL. */
export const API_PATHS: Readonly<Record<Api, string>> = { chat_completions: '/chat/completions', responses: '/responses' };

/** The base URL of the bench's model for a pace. */
export function baseUrl(modelPort: number, pace: Pace): string {
  return `http://127.0.0.1:${modelPort}/${pace}/v1`;
}
