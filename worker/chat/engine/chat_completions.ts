// OpenAI's Chat Completions API, which most compatible servers speak: https://platform.openai.com/docs/api-reference/chat and …/chat-streaming
import { randomUUID } from 'node:crypto';
import type { EventSourceMessage } from 'eventsource-parser';
import { MAX_ANSWER_LENGTH, type TokenUsage } from '../../../shared/chat.ts';
import { createToolForms, isObject, parseChunk, textOf, type JsonObject, type ModelApi, type RequestSettings, type StreamReader } from './api.ts';
import { messagesOf } from './chat_messages.ts';
import { malformedFailed } from './failure.ts';
import type { ModelEvent } from './model.ts';
import { usageOf } from './usage.ts';

/** What compatible servers call the same ends. */
const FINISH_REASONS: Readonly<Record<string, string>> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  eos: 'stop',
  max_tokens: 'length',
  max_output_tokens: 'length',
  tool_use: 'tool_calls',
  function_call: 'tool_calls',
};

const toolsForm = createToolForms(({ name, description, parameters }) => ({ type: 'function', function: { name, description, parameters } }));

export function createChatCompletionsApi({ modelId, params: given, output }: RequestSettings): ModelApi {
  const { max_tokens, ...params } = given;
  const fixed = {
    model: modelId,
    stream: true,
    stream_options: { include_usage: true },
    ...(max_tokens === undefined ? {} : { max_completion_tokens: max_tokens }),
    ...params,
    ...(output === null ? {} : { response_format: { type: 'json_schema', json_schema: output } }),
  };
  return {
    path: '/chat/completions',
    body: (call) => ({ ...fixed, ...toolsForm(call.tools), messages: messagesOf(call.instructions, call.items) }),
    reader: createReader,
  };
}

interface PendingCall {
  id: string;
  name: string;
  argumentsJson: string;
}

function createReader(secrets: readonly string[]): StreamReader {
  const calls = new Map<unknown, PendingCall>();
  let finishReason: string | null = null;
  let usage: TokenUsage | null = null;
  let ended = false;

  function readDelta(delta: JsonObject, events: ModelEvent[]): void {
    const reasoning = delta['reasoning_content'] ?? delta['reasoning'];
    if (typeof reasoning === 'string' && reasoning !== '') events.push({ type: 'reasoning', text: reasoning });
    for (const field of ['content', 'refusal']) {
      if (delta[field] === undefined || delta[field] === null) continue;
      const text = textOf(delta, field);
      if (text !== '') events.push({ type: 'text', text });
    }
    if (Array.isArray(delta['tool_calls'])) delta['tool_calls'].forEach(readCall);
  }

  /** Pieces of a call share its index; servers that leave it out send calls whole, each with an id. */
  function readCall(piece: unknown): void {
    if (!isObject(piece)) throw malformedFailed('a tool call that is not an object');
    const key = piece['index'] ?? piece['id'] ?? 0;
    const named = isObject(piece['function']) ? piece['function'] : {};
    const call = calls.get(key) ?? { id: '', name: '', argumentsJson: '' };
    calls.set(key, call);
    if (typeof piece['id'] === 'string' && piece['id'] !== '') call.id = piece['id'];
    if (typeof named['name'] === 'string' && named['name'] !== '') call.name = named['name'];
    if (typeof named['arguments'] === 'string') call.argumentsJson += named['arguments'];
    else if (isObject(named['arguments'])) call.argumentsJson = JSON.stringify(named['arguments']);
    if (call.argumentsJson.length > MAX_ANSWER_LENGTH) throw malformedFailed('a tool call that is too large');
  }

  function finish(events: ModelEvent[]): void {
    ended = true;
    const reason = finishReason ?? (calls.size > 0 ? 'tool_calls' : 'stop');
    // The limit or the filter hit while the model wrote its calls: what is there of them may be half of what it meant.
    if (reason !== 'length' && reason !== 'content_filter') {
      for (const { id, name, argumentsJson } of calls.values()) {
        if (name === '') throw malformedFailed('a tool call without a name');
        events.push({ type: 'tool_call', id: id || `call_${randomUUID()}`, name, argumentsJson: argumentsJson.trim() || '{}' });
      }
    }
    events.push({ type: 'end', finishReason: reason, usage });
  }

  function read(message: EventSourceMessage, events: ModelEvent[]): void {
    if (ended) return;
    if (message.data === '[DONE]') return finish(events);
    const chunk = parseChunk(message, secrets);
    const told = chunk['usage'];
    // Some servers send a running count with each chunk: the last one is the sum.
    if (isObject(told)) usage = usageOf(told['prompt_tokens'], told['completion_tokens'], told['total_tokens']) ?? usage;
    if (!Array.isArray(chunk['choices'])) {
      if (isObject(told)) return;
      throw malformedFailed('a chunk without choices');
    }
    const choice: unknown = chunk['choices'][0];
    if (choice === undefined) return;
    if (!isObject(choice)) throw malformedFailed('a choice that is not an object');
    if (isObject(choice['delta'])) readDelta(choice['delta'], events);
    if (typeof choice['finish_reason'] === 'string') finishReason = normalReason(choice['finish_reason']);
  }

  return {
    read,
    get ended() {
      return ended;
    },
    close(events) {
      // Some servers never send [DONE]; a finish reason says as well that the answer is whole.
      if (finishReason === null) return false;
      finish(events);
      return true;
    },
  };
}

function normalReason(reason: string): string {
  const lower = reason.toLowerCase();
  return Object.hasOwn(FINISH_REASONS, lower) ? (FINISH_REASONS[lower] ?? lower) : lower.slice(0, 64);
}
