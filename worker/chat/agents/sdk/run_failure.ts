// Why an SDK run ended without an answer, as one of the contract's codes. By name and shape: the classes are those of the agent's own copy.
import { AppError } from '../../../../shared/errors.ts';
import { cutFailed, modelFailed } from '../../engine/failure.ts';
import { scrub } from '../../engine/scrub.ts';
import type { SdkRun } from './current_run.ts';
import { isObject } from './stream_check.ts';

const MAX_CAUSES = 8;
/** Longest piece of somebody else's words in a sentence of ours, in UTF-16 units. */
const QUOTE_LIMIT = 200;

export function runFailure(error: unknown, run: SdkRun): AppError {
  if (error instanceof AppError) return error;
  const model = modelErrorIn(error, run);
  if (model !== null) return model;
  if (!(error instanceof Error)) return new AppError('AGENT_FAILED', {}, { cause: error });
  const fail = (code: 'GUARDRAIL' | 'MAX_TURNS' | 'OUTPUT_INVALID' | 'AGENT_FAILED', message?: string) =>
    new AppError(code, message === undefined ? {} : { message }, { cause: error });
  switch (error.name) {
    case 'InputGuardrailTripwireTriggered':
    case 'OutputGuardrailTripwireTriggered':
    case 'ToolInputGuardrailTripwireTriggered':
    case 'ToolOutputGuardrailTripwireTriggered':
      return fail('GUARDRAIL', guardrailWords(error, run));
    case 'MaxTurnsExceededError':
      return fail('MAX_TURNS', turnsWords(error.message));
    case 'ModelRefusalError':
      return modelFailed(`The model refused to answer${quoted('refusal' in error ? error.refusal : '', run)}.`, error);
    case 'ToolTimeoutError':
      return fail('AGENT_FAILED', `A tool of the agent took too long${quoted('toolName' in error ? error.toolName : '', run)}.`);
    case 'ModelBehaviorError':
    case 'InvalidToolInputError':
      if (error.message.startsWith('Invalid output type')) return fail('OUTPUT_INVALID');
      if (error.message.startsWith('Model did not produce a final response')) return cutFailed(error);
      return modelFailed(`The model did what the agent cannot follow${quoted(error.message, run)}.`, error);
    default:
      return fail('AGENT_FAILED');
  }
}

/** An approval stops a run until somebody gives it, which no route of this server can. */
export function approvalFailure(name: unknown, run: SdkRun): AppError {
  const message = `A tool of the agent waits for an approval, which this server cannot ask for${quoted(name, run)}.`;
  return new AppError('AGENT_FAILED', { message });
}

/** The failed model call at the bottom of it: tools and guardrails that start a run of their own wrap what ends it. */
function modelErrorIn(error: unknown, run: SdkRun): AppError | null {
  let each = error;
  for (let depth = 0; depth < MAX_CAUSES && isObject(each); depth += 1) {
    const known = run.modelErrors.get(each) ?? (each instanceof AppError ? each : undefined);
    if (known !== undefined) return known;
    each = each['error'] ?? each['originalError'] ?? each['cause'];
  }
  return null;
}

function guardrailWords(error: Error, run: SdkRun): string {
  const result = 'result' in error && isObject(error.result) ? error.result : {};
  const guardrail = isObject(result['guardrail']) ? result['guardrail'] : {};
  return `A guardrail of the agent refused the interaction${quoted(guardrail['name'], run)}.`;
}

function turnsWords(message: string): string | undefined {
  const turns = /\((\d+)\)/.exec(message)?.[1];
  return turns === undefined ? undefined : `The agent had no answer after ${turns} ${turns === '1' ? 'turn' : 'turns'}.`;
}

/** Words that name a path or an address stay in the server's log. */
function quoted(words: unknown, run: SdkRun): string {
  if (typeof words !== 'string' || /[\n\\]|\/\S|\S\//.test(words)) return '';
  const clean = scrub(words, run.secrets, QUOTE_LIMIT).replace(/\.$/, '');
  return clean === '' ? '' : `: ${clean}`;
}
