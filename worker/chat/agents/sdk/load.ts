// Makes an agent of a module whose default export is an Agent of @openai/agents: it runs as it is, with the package that its module imports.
import { baseUrlProblem } from '../../../../shared/agent/base_url.ts';
import { AgentLoadError } from '../../../../shared/agent/load_error.ts';
import type { Origin } from '../../../../shared/agent/origin.ts';
import { sdkSchema } from '../../../../shared/agent/schema.ts';
import { validate } from '../../../../shared/agent/validate.ts';
import { baseUrlIn } from '../../engine/endpoint.ts';
import type { LoadedAgent, LoadOptions } from '../agent.ts';
import { importError } from '../import_module.ts';
import { parseEnvironment } from '../variables.ts';
import { copyFor, isUsable } from './copies.ts';
import { describe, modelNameOf } from './facts.ts';
import { connectMcpServers } from './mcp.ts';
import type { Sdk, SdkAgent } from './package.ts';
import { isDefaultProvider } from './provider.ts';
import { runSdkAgent } from './run.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** What a run of the SDK has where nobody says otherwise. */
const SDK_MAX_TURNS = 10;
const HOW_TO_GIVE_A_KEY =
  "set OPENAI_API_KEY in the environment or in .env, list it for requests (export const request_env = ['OPENAI_API_KEY']), " +
  'or name a server of your own in OPENAI_BASE_URL';

/** Agents of the package that need more than a conversation, by the name of their class. */
const OTHER_KINDS: Readonly<Record<string, string>> = {
  RealtimeAgent: 'a RealtimeAgent speaks over a connection of its own: expected an Agent',
  SandboxAgent: 'a SandboxAgent needs a sandbox client, which only its caller can give: run it in a generator (async *chat(input, context))',
};

/**
 * @param exports of the module: beside the agent, those that set what an Agent has no key for
 * @throws AgentLoadError
 */
export async function loadSdkAgent(
  agent: SdkAgent,
  exports: Readonly<Record<string, unknown>>,
  options: LoadOptions,
  origin: Origin,
): Promise<LoadedAgent> {
  const otherKind = OTHER_KINDS[agent.constructor.name];
  if (otherKind !== undefined) throw new AgentLoadError(otherKind, origin.file);
  const settings = validate(sdkSchema, settingsIn(exports), origin);
  const sdk = await copyOf(agent, origin.file);
  const environment = parseEnvironment(settings.environment);
  await checkKey(sdk, agent, settings.request_env, { ...options.baseEnv, ...environment }, origin);
  const closeMcpServers = await connectMcpServers(agent, origin.file, options.reportMcps);
  const run = {
    sdk,
    agent,
    maxTurns: settings.max_turns ?? null,
    requestEnv: settings.request_env,
    temperature: options.temperature,
    maxTokens: options.maxTokens,
    nameOf: (of: SdkAgent) => modelNameOf(sdk, of),
  };
  return {
    facts: {
      ...describe(sdk, agent),
      description: settings.description || agent.handoffDescription,
      framework: 'openai-agents',
      prompts: settings.prompts,
      requestEnv: settings.request_env,
      allowReinitialize: settings.allow_reinitialize,
      smokeTest: settings.smoke_test ?? null,
      maxItems: settings.memory.max_items,
      port: settings.port,
      tags: settings.tags,
      maxTurns: settings.max_turns ?? SDK_MAX_TURNS,
      warnings: [],
    },
    environment,
    modelFor: () => modelNameOf(sdk, agent),
    run: (input, context, answer, usage) => runSdkAgent(run, input, context, answer, usage),
    close: closeMcpServers,
  };
}

async function copyOf(agent: SdkAgent, file: string): Promise<Sdk> {
  const sdk = await copyFor(agent, file).catch((error: unknown) => Promise.reject(importError(error, file)));
  if (isUsable(sdk)) return sdk;
  throw new AgentLoadError('this version of @openai/agents is too old for the server: expected 0.20 or later', file);
}

/** A module may export whatever else it likes. */
function settingsIn(exports: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.keys(sdkSchema.shape).filter((key) => Object.hasOwn(exports, key)).map((key) => [key, exports[key]]));
}

/** @throws AgentLoadError where no interaction could ever have a key, or where the first one's would serve for all */
async function checkKey(sdk: Sdk, agent: SdkAgent, requestEnv: readonly string[], env: Environment, { file }: Origin): Promise<void> {
  const problem = (message: string) => new AgentLoadError(message, file);
  if (typeof agent.model !== 'string') return;
  let missing = false;
  const isOurs = await isDefaultProvider(sdk, (error) => {
    missing = isMissingKey(error);
  });
  if (!isOurs) {
    if (!missing) return;
    if (!requestEnv.includes('OPENAI_API_KEY')) throw problem(`the model has no key: ${HOW_TO_GIVE_A_KEY}`);
    throw problem('the default model provider that the agent sets would keep the OPENAI_API_KEY of the first request for all: ' +
      'give it a key of its own, or set none, as the server makes a client for each interaction');
  }
  const baseUrl = baseUrlIn(env);
  const urlProblem = baseUrl === null ? null : baseUrlProblem(baseUrl);
  if (urlProblem !== null) throw problem(`OPENAI_BASE_URL: expected ${urlProblem}`);
  if (requestEnv.includes('OPENAI_API_KEY') || baseUrl !== null || (env['OPENAI_API_KEY']?.trim() ?? '') !== '') return;
  if (await isKeyless(sdk)) throw problem(`the model has no key: ${HOW_TO_GIVE_A_KEY}`);
}

/** Whether the agent's code has set no client and no key (`setDefaultOpenAIClient`, `setDefaultOpenAIKey`). */
async function isKeyless(sdk: Sdk): Promise<boolean> {
  try {
    await new sdk.OpenAIProvider().getModel('probe');
    return false;
  } catch (error) {
    return isMissingKey(error);
  }
}

function isMissingKey(error: unknown): boolean {
  return error instanceof Error && error.message.includes('OPENAI_API_KEY');
}
