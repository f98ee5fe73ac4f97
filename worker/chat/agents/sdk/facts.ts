// What can be said of an Agent of the SDK without running it.
import type { ModelName } from '../../../../shared/chat.ts';
import type { AgentFacts } from '../../../../shared/protocol.ts';
import { mcpFacts } from './mcp.ts';
import type { Sdk, SdkAgent } from './package.ts';

type SdkFacts = Pick<AgentFacts, 'name' | 'model' | 'tools' | 'mcps' | 'agents'>;

/** Where the model classes of the SDK and its extensions keep the name; no interface has it. */
const NAME_KEYS = ['modelId', 'modelName', 'model', '_model'] as const;

export function describe(sdk: Sdk, agent: SdkAgent): SdkFacts {
  return {
    name: agent.name,
    model: modelNameOf(sdk, agent),
    tools: agent.tools.map((tool) => ({ name: tool.name, description: 'description' in tool ? String(tool.description) : '' })),
    mcps: agent.mcpServers.map(mcpFacts),
    agents: agent.handoffs.map((handoff) => ('agentName' in handoff ? handoff.agentName : handoff.name)),
  };
}

/**
 * The SDK's own default where the agent names none, which OPENAI_DEFAULT_MODEL of the calling code's environment decides.
 * @returns null of a model object that has no name
 */
export function modelNameOf(sdk: Sdk, { model }: SdkAgent): ModelName | null {
  if (typeof model === 'string') return { model_id: model === '' ? sdk.getDefaultModel() : model, provider: 'openai' };
  const name = NAME_KEYS.map((key): unknown => Reflect.get(model, key)).find((value) => typeof value === 'string' && value !== '');
  if (typeof name !== 'string') return null;
  const isOpenAi = model instanceof sdk.OpenAIResponsesModel || model instanceof sdk.OpenAIChatCompletionsModel;
  return { model_id: name, provider: isOpenAi ? 'openai' : model.constructor.name };
}
