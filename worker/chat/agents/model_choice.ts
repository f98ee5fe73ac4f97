// Which model answers: the provider that the agent's file names, or, for `auto`, whichever the interaction has a key for.
import { baseUrlProblem } from '../../../shared/agent/base_url.ts';
import { AgentLoadError } from '../../../shared/agent/load_error.ts';
import type { Origin } from '../../../shared/agent/origin.ts';
import type { ModelDefinition } from '../../../shared/agent/schema.ts';
import type { ModelClient } from '../engine/client.ts';
import { baseUrlIn } from '../engine/endpoint.ts';
import type { Environment, Model } from '../engine/model.ts';
import { createOfflineModel } from '../engine/offline.ts';
import { createOpenAiModel } from '../engine/openai.ts';
import type { OutputFormat } from '../engine/output.ts';

export interface ModelOverrides {
  readonly temperature: number | null;
  readonly maxTokens: number | null;
}

interface ModelChoice {
  readonly model: Model;
  /** Lines for the start, where the offline model may answer. */
  readonly warnings: readonly string[];
}

/**
 * @param env what an interaction's environment is before a request adds to it
 * @throws AgentLoadError when no interaction could ever use the model
 */
export function chooseModel(
  definition: ModelDefinition,
  overrides: ModelOverrides,
  requestEnv: readonly string[],
  output: OutputFormat | null,
  env: Environment,
  client: ModelClient,
  origin: Origin,
): ModelChoice {
  const { provider, model_id: modelId } = definition;
  if (provider === 'offline') {
    const remedy = 'For a real model, set `provider: openai` and a `model_id` in the agent\'s file, and OPENAI_API_KEY in the environment.';
    return { model: createOfflineModel(remedy, output), warnings: ['model: offline, as the agent\'s file says; its answers are no real ones'] };
  }
  if (modelId === undefined) {
    throw new AgentLoadError(`model.model_id: required for provider ${provider}, such as gpt-5-mini`, origin.file, origin.lineOf(['model']));
  }
  const settings = {
    modelId,
    params: paramsOf(definition, overrides),
    api: definition.api,
    baseUrl: definition.base_url ?? null,
    timeoutMs: definition.timeout_ms,
    retries: definition.retries,
    requestEnv,
    output,
  };
  checkBaseUrl(settings.baseUrl, env, origin);
  const openai = createOpenAiModel(settings, client);
  if (provider === 'openai') {
    if (!hasKey(env) && !requestEnv.includes('OPENAI_API_KEY') && settings.baseUrl === null && baseUrlIn(env) === null) throw withoutKey(origin);
    return { model: openai, warnings: [] };
  }
  const offline = createOfflineModel(`For a real answer, set OPENAI_API_KEY in the environment or in .env: then ${modelId} answers.`, output);
  const pick = (of: Environment) => (hasKey(of) ? openai : offline);
  return {
    model: { nameFor: (of) => pick(of).nameFor(of), call: (call, signal) => pick(call.env).call(call, signal) },
    warnings: hasKey(env) ? [] : [`model: offline, as OPENAI_API_KEY is not set; with it, ${modelId} answers`],
  };
}

function hasKey(env: Environment): boolean {
  return (env['OPENAI_API_KEY']?.trim() ?? '') !== '';
}

/** The command line wins, also over the two names that the APIs themselves have for the limit. */
function paramsOf(definition: ModelDefinition, overrides: ModelOverrides): Readonly<Record<string, unknown>> {
  const { max_output_tokens, max_completion_tokens, ...params } = definition.params;
  const maxTokens = overrides.maxTokens ?? params.max_tokens ?? max_output_tokens ?? max_completion_tokens;
  const temperature = overrides.temperature ?? params.temperature;
  return { ...params, ...(maxTokens === undefined ? {} : { max_tokens: maxTokens }), ...(temperature === undefined ? {} : { temperature }) };
}

function checkBaseUrl(baseUrl: string | null, env: Environment, origin: Origin): void {
  const named = baseUrl === null ? baseUrlIn(env) : null;
  const problem = named === null ? null : baseUrlProblem(named);
  if (problem !== null) throw new AgentLoadError(`OPENAI_BASE_URL: expected ${problem}`, origin.file, origin.lineOf(['model']));
}

function withoutKey(origin: Origin): AgentLoadError {
  const message =
    'the model has no key: set OPENAI_API_KEY in the environment or in .env, list it in request_env, or name a base_url; ' +
    '`provider: offline` needs none';
  return new AgentLoadError(message, origin.file, origin.lineOf(['model', 'provider']));
}
