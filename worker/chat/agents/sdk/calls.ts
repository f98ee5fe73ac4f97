// The tool calls of an SDK run and their results, and the handoffs, which are calls as well.
import { scrub } from '../../engine/scrub.ts';
import type { Answer } from '../agent.ts';
import { isObject } from './stream_check.ts';

type RawItem = Readonly<Record<string, unknown>>;

interface Named {
  readonly name: string;
}

export interface Calls {
  called(item: RawItem, isHandoff: boolean): void;
  returned(item: RawItem): void;
  /** @param told whether the result of the call that did it was told: a filter of the handoff can take it out of the run */
  handedOver(to: Named, told: boolean): void;
  /** When the tool of a call really ran, which its events do not say: results come together, when the slowest has ended. */
  toolStarted(callId: string): void;
  /** @param result for a call whose result no event tells */
  toolEnded(callId: string, result: string): void;
}

/** How the SDK begins what it puts in place of a result when a tool has thrown. */
const TOOL_ERROR = 'An error occurred while running the tool';

/**
 * @param first the agent that the run begins with
 * @param secrets values that must not be in an error
 */
export function createCalls(answer: Answer, first: Named, secrets: readonly string[]): Calls {
  /** Those without a result so far, by id. */
  const open = new Map<string, { readonly name: string; readonly isHandoff: boolean }>();
  const times = new Map<string, { readonly startedAt: number; readonly endedAt: number | null; readonly result: string | null }>();
  let agent = first;

  const end = (callId: unknown, content: string, isError: boolean): void => {
    const call = typeof callId === 'string' ? open.get(callId) : undefined;
    if (call === undefined || typeof callId !== 'string') return;
    const now = performance.now();
    const { startedAt, endedAt } = times.get(callId) ?? { startedAt: now, endedAt: now, result: null };
    open.delete(callId);
    times.delete(callId);
    answer.toolResult(callId, call.name, content, isError, call.isHandoff ? 0 : (endedAt ?? now) - startedAt);
  };

  const returned = ({ callId, output }: RawItem): void => {
    const content = outputOf(output);
    const isError = content.startsWith(TOOL_ERROR);
    end(callId, isError ? scrub(content, secrets, content.length) : content, isError);
  };

  return {
    called(item, isHandoff) {
      const { callId, name, type } = item;
      // Tools that run at the provider, such as its web search, have no call of ours and no result.
      if (typeof callId !== 'string') return answer.active();
      const call = { name: typeof name === 'string' ? name : String(type).replace(/_call$/, ''), isHandoff };
      answer.toolCall(callId, call.name, argumentsOf(item));
      open.set(callId, call);
      if (!times.has(callId)) times.set(callId, { startedAt: performance.now(), endedAt: null, result: null });
    },
    returned,
    handedOver(to, told) {
      if (to === agent) return;
      // A filter that takes the handoff out takes the results of the same turn out as well.
      for (const [callId, { result }] of told ? [] : [...times]) if (result !== null) returned({ callId, output: result });
      const waiting = [...open].filter(([, call]) => call.isHandoff).map(([callId]) => callId);
      const [done, ...late] = told ? [null, ...waiting] : waiting;
      end(done, JSON.stringify({ assistant: to.name }), false);
      for (const callId of late) end(callId, `The conversation has been handed over to ${to.name} already.`, true);
      answer.handoff(agent.name, to.name);
      agent = to;
    },
    toolStarted(callId) {
      times.set(callId, { startedAt: performance.now(), endedAt: null, result: null });
      answer.active();
    },
    toolEnded(callId, result) {
      const time = times.get(callId);
      if (time !== undefined) times.set(callId, { ...time, endedAt: performance.now(), result });
      answer.active();
    },
  };
}

/** As a JSON text: of a call that is no function's, what it has in their place. */
function argumentsOf({ arguments: given, action, operation, input }: RawItem): string {
  return typeof given === 'string' ? given : JSON.stringify(action ?? operation ?? input ?? {});
}

/** What a tool gave back as a text: its texts, and as JSON what else there is. */
function outputOf(output: unknown): string {
  if (typeof output === 'string') return output;
  if (Array.isArray(output)) return output.map(outputOf).join('\n');
  const isText = isObject(output) && (output['type'] === 'text' || output['type'] === 'input_text') && typeof output['text'] === 'string';
  return isText ? String(output['text']) : (JSON.stringify(output) ?? '');
}
