// Turns the events of an SDK run into the answer: pieces of messages, reasoning, tool calls and their results, handoffs.
import type { Agent, RunItemStreamEvent, RunStreamEvent, StreamEvent } from '@openai/agents';
import { scrub } from '../../engine/scrub.ts';
import type { Answer } from '../agent.ts';
import { reasoningOf } from './reasoning.ts';
import { finishReasonOf, isObject } from './stream_check.ts';

export interface SdkEvents {
  take(event: RunStreamEvent): void;
  /** A tool has begun, and ended: its result is told later, with those of the others that run beside it. */
  toolStarted(callId: string): void;
  toolEnded(callId: string): void;
  /** The run is over, and this is what it came to: the last message, or where it is none, as when a tool's result is the answer, a message of its own. */
  end(output: string): void;
  /** Of the last model call, as far as its API says. */
  readonly finishReason: string;
}

interface OpenCall {
  readonly name: string;
  readonly isHandoff: boolean;
}

/** When a call's tool ran, in ms; its event comes before or after. */
interface Times {
  startedAt: number;
  endedAt: number | null;
}

/** How the SDK begins what it puts in place of a result when a tool has thrown. */
const TOOL_ERROR = 'An error occurred while running the tool';

/**
 * @param first the agent that the run begins with
 * @param secrets values that must not be in an error
 */
export function createSdkEvents(answer: Answer, first: Agent, secrets: readonly string[]): SdkEvents {
  const calls = new Map<string, OpenCall>();
  const times = new Map<string, Times>();
  let agent: { readonly name: string } = first;
  let text = '';
  let lastText = '';
  let itemId: string | undefined;
  let streamed = false;
  let reasoned = false;
  let finishReason = 'stop';

  const addText = (piece: string): void => {
    text += piece;
    answer.text(piece);
  };
  const endMessage = (): void => {
    answer.endMessage();
    if (text === '') return;
    lastText = text;
    text = '';
  };

  const addMessage = (message: string): void => {
    endMessage();
    addText(message);
  };

  const takeModel = (data: StreamEvent): void => {
    switch (data.type) {
      case 'response_started':
        finishReason = 'stop';
        reasoned = false;
        return;
      case 'output_text_delta':
        // A server that keeps to no form may send anything.
        if (typeof data.delta !== 'string' || data.delta === '') return;
        if (data.itemId !== itemId) endMessage();
        itemId = data.itemId;
        streamed = true;
        return addText(data.delta);
      case 'model':
        return takeRaw(data.event);
      case 'response_done':
        if (!streamed) messagesOf(data.response.output).forEach(addMessage);
        endMessage();
        streamed = false;
        itemId = undefined;
    }
  };

  const takeRaw = (raw: unknown): void => {
    if (!isObject(raw)) return;
    const piece = reasoningOf(raw);
    if (piece !== '') {
      reasoned = true;
      answer.reasoning(piece);
    }
    const reason = finishReasonOf(raw);
    // A call of tools is not how the run ends.
    if (reason !== null && reason !== 'tool_calls') finishReason = reason;
  };

  const called = (item: object, isHandoff: boolean): void => {
    const { callId, type } = item as { readonly callId?: unknown; readonly type?: unknown };
    // Tools that run at the provider, such as its web search, have no call of ours and no result.
    if (typeof callId !== 'string') return answer.active();
    const name = 'name' in item && typeof item.name === 'string' ? item.name : String(type).replace(/_call$/, '');
    endMessage();
    answer.toolCall(callId, name, argumentsOf(item));
    calls.set(callId, { name, isHandoff });
    if (!times.has(callId)) times.set(callId, { startedAt: performance.now(), endedAt: null });
  };

  const returned = (callId: unknown, content: string, isError: boolean): void => {
    const call = typeof callId === 'string' ? calls.get(callId) : undefined;
    if (call === undefined || typeof callId !== 'string') return;
    const now = performance.now();
    const { startedAt, endedAt } = times.get(callId) ?? { startedAt: now, endedAt: null };
    calls.delete(callId);
    times.delete(callId);
    answer.toolResult(callId, call.name, content, isError, call.isHandoff ? 0 : (endedAt ?? now) - startedAt);
  };

  const takeItem = ({ name, item }: RunItemStreamEvent): void => {
    const raw: unknown = item.rawItem;
    if (!isObject(raw)) return;
    switch (name) {
      case 'tool_called':
        return called(raw, false);
      case 'handoff_requested':
        return called(raw, true);
      case 'tool_output': {
        const content = outputOf(raw['output']);
        const isError = content.startsWith(TOOL_ERROR);
        return returned(raw['callId'], isError ? scrub(content, secrets, content.length) : content, isError);
      }
      case 'handoff_occurred':
        returned(raw['callId'], outputOf(raw['output']), false);
        return 'targetAgent' in item ? handedOver(item.targetAgent, true) : undefined;
      case 'reasoning_item_created':
        return reasoned ? undefined : answer.reasoning(reasoningOf(raw));
      default:
        answer.active();
    }
  };

  /** @param told whether the result of the call that did it came; a filter of the handoff can take it out */
  const handedOver = (to: { readonly name: string }, told: boolean): void => {
    if (to === agent) return;
    const [done, ...late] = [...(told ? [''] : []), ...[...calls].filter(([, call]) => call.isHandoff).map(([callId]) => callId)];
    if (!told) returned(done, JSON.stringify({ assistant: to.name }), false);
    for (const callId of late) returned(callId, `The conversation has been handed over to ${to.name} already.`, true);
    answer.handoff(agent.name, to.name);
    agent = to;
  };

  return {
    take(event) {
      if (event.type === 'raw_model_stream_event') takeModel(event.data);
      else if (event.type === 'run_item_stream_event') takeItem(event);
      else handedOver(event.agent, false);
    },
    toolStarted(callId) {
      times.set(callId, { startedAt: performance.now(), endedAt: null });
      answer.active();
    },
    toolEnded(callId) {
      const time = times.get(callId);
      if (time !== undefined) time.endedAt = performance.now();
      answer.active();
    },
    end(output) {
      endMessage();
      if (output === lastText) return;
      addText(output);
      endMessage();
    },
    get finishReason() {
      return finishReason;
    },
  };
}

/** The texts of a response's messages, where its server sent no pieces of them. */
function messagesOf(output: readonly unknown[]): string[] {
  const messages = output.filter(isObject).filter((item) => item['type'] === 'message' && Array.isArray(item['content']));
  const textsOf = (item: Readonly<Record<string, unknown>>) => (item['content'] as readonly unknown[]).filter(isObject).map((part) => part['text']);
  return messages.map((item) => textsOf(item).filter((text) => typeof text === 'string').join('')).filter((text) => text !== '');
}

/** As a JSON text: of a call that is no function's, what it has in their place. */
function argumentsOf(item: object): string {
  if ('arguments' in item && typeof item.arguments === 'string') return item.arguments;
  const { action, operation, input } = item as { readonly action?: unknown; readonly operation?: unknown; readonly input?: unknown };
  return JSON.stringify(action ?? operation ?? input ?? {});
}

/** What a tool gave back as a text: its texts, and as JSON what else there is. */
function outputOf(output: unknown): string {
  if (typeof output === 'string') return output;
  if (Array.isArray(output)) return output.map(outputOf).join('\n');
  const isText = isObject(output) && (output['type'] === 'text' || output['type'] === 'input_text') && typeof output['text'] === 'string';
  return isText ? String(output['text']) : (JSON.stringify(output) ?? '');
}
