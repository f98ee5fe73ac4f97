// Turns the events of an SDK run into the answer: pieces of messages and reasoning as the model gives them, calls and handoffs as the run does them.
import type { Agent, RunItemStreamEvent, RunStreamEvent, StreamEvent } from '@openai/agents';
import type { Answer } from '../agent.ts';
import { createCalls } from './calls.ts';
import { reasoningOf } from './reasoning.ts';
import { finishReasonOf, isObject } from './stream_check.ts';

export interface SdkEvents {
  take(event: RunStreamEvent): void;
  /** See `Calls`. */
  toolStarted(callId: string): void;
  toolEnded(callId: string, result: string): void;
  /** The run is over, and this is what it came to: its last message, or what becomes a message of its own, as when a tool's result is the answer. */
  end(output: string): void;
  /** Of the last model call, as far as its API says. */
  readonly finishReason: string;
}

/**
 * @param first the agent that the run begins with
 * @param secrets values that must not be in an error
 */
export function createSdkEvents(answer: Answer, first: Agent, secrets: readonly string[]): SdkEvents {
  const calls = createCalls(answer, first, secrets);
  /** Of the message that is being told, and of the one before it. */
  let text = '';
  let lastText = '';
  /** Of the model call that is going on: the item that text came for last, and whether any did; whether it reasoned. */
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

  const takeItem = ({ name, item }: RunItemStreamEvent): void => {
    const raw: unknown = item.rawItem;
    if (!isObject(raw)) return;
    switch (name) {
      case 'tool_called':
      case 'handoff_requested':
        endMessage();
        return calls.called(raw, name === 'handoff_requested');
      case 'tool_output':
        return calls.returned(raw);
      case 'handoff_occurred':
        calls.returned(raw);
        return 'targetAgent' in item ? calls.handedOver(item.targetAgent, true) : undefined;
      case 'reasoning_item_created':
        return reasoned ? undefined : answer.reasoning(reasoningOf(raw));
      default:
        answer.active();
    }
  };

  return {
    toolStarted: calls.toolStarted,
    toolEnded: calls.toolEnded,
    take(event) {
      if (event.type === 'raw_model_stream_event') takeModel(event.data);
      else if (event.type === 'run_item_stream_event') takeItem(event);
      else calls.handedOver(event.agent, false);
    },
    end(output) {
      endMessage();
      if (output !== lastText) addMessage(output);
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
