// The agent that our server is started with: declarative, a system prompt and a model, as the bare server has.
import type { Api } from './apis.ts';

export const AGENT = 'bench';
export const INSTRUCTIONS = 'Answer briefly.';
export const MODEL_ID = 'bench-model';

/** The agent's YAML; written at run time because the model's port is known only then. */
export function agentFile(modelUrl: string, api: Api): string {
  return `name: ${AGENT}
system_prompt: ${INSTRUCTIONS}
model:
  provider: openai
  model_id: ${MODEL_ID}
  base_url: ${modelUrl}
  api: ${api}
`;
}
