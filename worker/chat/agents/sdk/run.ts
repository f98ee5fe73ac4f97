// Answers one interaction with an Agent of the SDK: a runner and a client of its own, the run's events as they come, its items for the session.
import type { AgentInputItem, Runner, StreamedRunResult } from '@openai/agents';
import type { ModelName, TokenUsage } from '../../../../shared/chat.ts';
import { AppError } from '../../../../shared/errors.ts';
import { secretsOf } from '../../engine/scrub.ts';
import { userContent } from '../../engine/user_content.ts';
import type { AgentContext, AgentInput, Answer, AnswerEnd, UsageMeter } from '../agent.ts';
import type { Sdk, SdkAgent } from './package.ts';
import { enterRun, type SdkRun } from './current_run.ts';
import { createSdkEvents, type SdkEvents } from './events.ts';
import { closeProviders, createRunProvider } from './provider.ts';
import { approvalFailure, runFailure } from './run_failure.ts';
import { tokenUsage, watchModel } from './watch_model.ts';

export interface SdkRunSettings {
  readonly sdk: Sdk;
  readonly agent: SdkAgent;
  /** null: as many as the SDK lets a run have. */
  readonly maxTurns: number | null;
  readonly requestEnv: readonly string[];
  readonly temperature: number | null;
  readonly maxTokens: number | null;
  nameOf(agent: SdkAgent): ModelName | null;
}

type Streamed = StreamedRunResult<AgentContext, SdkAgent>;

/** What its types leave out, and a copy need not have: the loop of a run, which goes on after an abort until its tools have ended. */
interface LoopOwner {
  _getStreamLoopPromise?(): Promise<void> | undefined;
}

/** @throws AppError; after an abort, the signal's reason */
export async function runSdkAgent(
  settings: SdkRunSettings,
  input: AgentInput,
  context: AgentContext,
  answer: Answer,
  usage: UsageMeter,
): Promise<AnswerEnd> {
  const { temperature, maxTokens, requestEnv } = settings;
  const { signal } = context;
  signal.throwIfAborted();
  const secrets = secretsOf(context.env, requestEnv);
  const run: SdkRun = { context, answer, usage, secrets, temperature, maxTokens, providers: new Map(), modelErrors: new WeakMap(), over: false };
  try {
    return await enterRun(run, () => streamRun(settings, input, run));
  } catch (error) {
    // The SDK ends an aborted run in silence, and what it then throws says nothing.
    signal.throwIfAborted();
    throw runFailure(error, run);
  } finally {
    run.over = true;
    void closeProviders(run);
  }
}

async function streamRun({ sdk, agent, maxTurns, nameOf }: SdkRunSettings, input: AgentInput, run: SdkRun): Promise<AnswerEnd> {
  const { context, answer, secrets } = run;
  const runner = new sdk.Runner({ modelProvider: createRunProvider(sdk, run), tracingDisabled: isTracingDisabled(sdk) });
  const events = createSdkEvents(answer, agent, secrets);
  listen(runner, events);
  const user = { type: 'message', role: 'user', content: await userContent(input.message, context.files) } as AgentInputItem;
  const items = [...(input.history as readonly AgentInputItem[]), user];
  const limit = maxTurns === null ? {} : { maxTurns };
  const result: Streamed & LoopOwner = await runner.run(agent, items, { stream: true, signal: context.signal, context, ...limit });
  answer.follow(Promise.resolve(result['_getStreamLoopPromise']?.()));
  for await (const event of result) {
    events.take(event);
    const wait = answer.ready();
    if (wait !== undefined) await wait;
  }
  context.signal.throwIfAborted();
  await result.completed;
  context.signal.throwIfAborted();
  const [interruption] = result.interruptions;
  if (interruption !== undefined) throw approvalFailure(interruption.name, run);
  events.end(outputOf(result));
  return {
    usage: larger(run.usage.total(), tokenUsage(result.state.usage)),
    model: nameOf(result.lastAgent ?? agent),
    finishReason: events.finishReason,
    items: plain(result.output),
  };
}

/**
 * The meter has the runs that tools and guardrails start as well, which the SDK leaves out; the SDK has what models used that cannot be watched.
 * Where both have the same, the meter's also says whether a call is missing.
 */
function larger(metered: TokenUsage | null, told: TokenUsage | null): TokenUsage | null {
  if (metered === null || told === null) return metered ?? told;
  return told.total_tokens > metered.total_tokens ? told : metered;
}

/** What has no event in the stream: when tools really run, and the models that agents bring with them. */
function listen(runner: Runner, events: SdkEvents): void {
  runner.on('agent_start', (_context, { model }) => {
    if (typeof model === 'object') watchModel(model);
  });
  const callId = (toolCall: object) => ('callId' in toolCall ? String(toolCall.callId) : '');
  runner.on('agent_tool_start', (_context, _agent, _tool, { toolCall }) => events.toolStarted(callId(toolCall)));
  runner.on('agent_tool_end', (_context, _agent, _tool, result, { toolCall }) => events.toolEnded(callId(toolCall), result));
}

/** Asks the SDK itself: its environment or the agent's code may have decided either way. */
function isTracingDisabled(sdk: Sdk): boolean {
  return sdk.getGlobalTraceProvider().createTrace({ name: 'probe' }) instanceof sdk.NoopTrace;
}

/** The answer as text: the model's own words of a structured one, not what its schema made of them. */
function outputOf(result: Streamed): string {
  const { _currentStep: step } = result.state;
  if (step?.type === 'next_step_final_output' && typeof step.output === 'string') return step.output;
  const { finalOutput } = result;
  return typeof finalOutput === 'string' ? finalOutput : (JSON.stringify(finalOutput) ?? '');
}

/** As a session keeps them: nothing that JSON does not carry. */
function plain(items: readonly object[]): readonly object[] {
  try {
    return JSON.parse(JSON.stringify(items)) as object[];
  } catch (error) {
    throw new AppError('AGENT_FAILED', { message: 'The items of the agent cannot be written as JSON.' }, { cause: error });
  }
}
