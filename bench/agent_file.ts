// The agent that our server is started with: declarative, a system prompt and a model, as the bare server has.
import type { Api } from './apis.ts';

/** The agent's YAML; written at run time because the model's port is known only then. */
export function agentFile(name: string, modelUrl: string, api: Api): string {
  return `name: ${name}
system_prompt: Answer briefly.
model:
  provider: openai
  model_id: bench-model
  base_url: ${modelUrl}
  api: ${api}
`;
}
