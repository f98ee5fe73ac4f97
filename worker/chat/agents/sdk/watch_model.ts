// Stands before a model's two methods: counts what an interaction uses, slows the model down for its reader, aborts it with the interaction.
import type { Model, ModelRequest, StreamEvent } from '@openai/agents';
import type { TokenUsage } from '../../../../shared/chat.ts';
import { usageOf } from '../../engine/usage.ts';
import { currentRun, type SdkRun } from './current_run.ts';
import { createStreamCheck, type Told } from './stream_check.ts';
import { hideSecrets, modelFailure } from './model_failure.ts';

const watched = new WeakSet<Model>();

/**
 * The model itself, as the SDK asks of what class it is; only its two methods are replaced, once. They do nothing of their own outside of an
 * interaction, so that a model that an agent's code has made, which interactions share, can be watched as well.
 */
export function watchModel(model: Model): Model {
  if (watched.has(model) || !Object.isExtensible(model)) return model;
  watched.add(model);
  const { getResponse, getStreamedResponse } = model;
  model.getResponse = async (request) => {
    const run = currentRun();
    return run === undefined ? getResponse.call(model, request) : watchResponse(run, () => getResponse.call(model, adjusted(request, run)));
  };
  model.getStreamedResponse = (request) => {
    const run = currentRun();
    if (run === undefined) return getStreamedResponse.call(model, request);
    return watchStream(run, () => getStreamedResponse.call(model, adjusted(request, run)));
  };
  return model;
}

/** With the signal of the interaction, which a run that a tool has started does not know, and what the command line wants of every model. */
function adjusted(request: ModelRequest, { context, temperature, maxTokens }: SdkRun): ModelRequest {
  const signal = request.signal === undefined ? context.signal : AbortSignal.any([request.signal, context.signal]);
  const settings = { ...(temperature === null ? {} : { temperature }), ...(maxTokens === null ? {} : { maxTokens }) };
  return { ...request, signal, modelSettings: { ...request.modelSettings, ...settings } };
}

async function watchResponse<T extends { readonly usage: Used }>(run: SdkRun, call: () => Promise<T>): Promise<T> {
  run.usage.callStarted();
  try {
    const response = await call();
    run.usage.callEnded(tokenUsage(response.usage));
    if (!run.over) run.answer.active();
    return response;
  } catch (error) {
    throw noted(error, run, null);
  }
}

async function* watchStream(run: SdkRun, call: () => AsyncIterable<StreamEvent>): AsyncGenerator<StreamEvent> {
  run.usage.callStarted();
  const check = createStreamCheck();
  try {
    for await (const event of call()) {
      check.take(event);
      if (event.type === 'response_done') run.usage.callEnded(tokenUsage(event.response.usage));
      yield event;
      if (run.over) continue;
      run.answer.active();
      // The SDK puts all that a model says into a queue without a bound: so the model waits for its reader.
      const wait = run.answer.ready();
      if (wait !== undefined) await wait;
    }
    check.end();
  } catch (error) {
    throw noted(error, run, check.told());
  }
}

/** The error, for the SDK as it was, but for the secrets in its words, which may reach a log or, by way of a tool's result, another model. */
function noted(error: unknown, run: SdkRun, told: Told | null): unknown {
  if (!(error instanceof Error)) return error;
  if (!run.modelErrors.has(error)) run.modelErrors.set(error, modelFailure(error, told, run.secrets));
  hideSecrets(error, run.secrets);
  return error;
}

interface Used {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly totalTokens: number;
}

/** null where the model's server tells none: the SDK then counts zeros. */
export function tokenUsage({ inputTokens, outputTokens, totalTokens }: Used): TokenUsage | null {
  return inputTokens + outputTokens + totalTokens === 0 ? null : usageOf(inputTokens, outputTokens, totalTokens);
}
