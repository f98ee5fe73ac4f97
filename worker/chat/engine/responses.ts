// OpenAI's Responses API: https://platform.openai.com/docs/api-reference/responses and …/responses-streaming
import { randomUUID } from 'node:crypto';
import type { EventSourceMessage } from 'eventsource-parser';
import type { ModelItem, UserPart } from '../../../shared/chat.ts';
import type { JsonObject, ModelApi, RequestSettings, StreamReader } from './api.ts';
import { createToolForms, isObject, messageOf, outputText, parseChunk, textOf, wellFormedArguments } from './api.ts';
import { malformedFailed, toldFailed } from './failure.ts';
import type { ModelEvent } from './model.ts';
import { pairedItems } from './paired_items.ts';
import { usageOf } from './usage.ts';

/** Events that only repeat what deltas have said or announce what follows: known by name, they cost no JSON.parse. */
const SKIPPED = new Set([
  'response.created',
  'response.in_progress',
  'response.queued',
  'response.output_item.added',
  'response.content_part.added',
  'response.content_part.done',
  'response.output_text.done',
  'response.refusal.done',
  'response.function_call_arguments.delta',
  'response.function_call_arguments.done',
  'response.reasoning_summary_part.added',
  'response.reasoning_summary_part.done',
  'response.reasoning_summary_text.done',
  'response.reasoning_text.done',
]);

// Left out, `strict` means true here, which refuses most schemas that were not written for it.
const toolsForm = createToolForms(({ name, description, parameters }) => ({ type: 'function', strict: false, name, description, parameters }));

export function createResponsesApi({ modelId, params: given, output }: RequestSettings): ModelApi {
  const { max_tokens, text, ...params } = given;
  const format = output === null ? {} : { format: { type: 'json_schema', ...output } };
  const fixed = {
    model: modelId,
    stream: true,
    // The session is ours: nothing of it has to stay at the provider, whose default is to keep it. Servers without a store take `false` and some of
    // them refuse `true`; `params: { store: true }` asks for it.
    store: false,
    ...(max_tokens === undefined ? {} : { max_output_tokens: max_tokens }),
    ...params,
    ...(text === undefined && output === null ? {} : { text: { ...(isObject(text) ? text : {}), ...format } }),
  };
  return {
    path: '/responses',
    body: (call) => ({
      ...fixed,
      ...toolsForm(call.tools),
      ...(call.instructions === '' ? {} : { instructions: call.instructions }),
      input: pairedItems(call.items).flatMap(inputItem),
    }),
    reader: createReader,
  };
}

/** Nothing of a kind that only other agents keep, if the session once was theirs. */
function inputItem(item: ModelItem): JsonObject | readonly JsonObject[] {
  switch (item.type) {
    case 'message':
      if (item.role === 'assistant') return { role: item.role, content: item.content.map((part) => part.text).join('') };
      return { role: item.role, content: typeof item.content === 'string' ? item.content : item.content.map(inputPart) };
    case 'function_call':
      return { type: 'function_call', call_id: item.callId, name: item.name, arguments: wellFormedArguments(item.arguments) };
    case 'function_call_result':
      return { type: 'function_call_output', call_id: item.callId, output: outputText(item.output) };
    default:
      item satisfies never;
      return [];
  }
}

function inputPart(part: UserPart): JsonObject {
  return part.type === 'input_text' ? part : { type: 'input_image', image_url: part.image, detail: 'auto' };
}

function createReader(secrets: readonly string[]): StreamReader {
  /** Indexes of the output items whose text came as deltas; undefined stands for all where a server leaves the index out. */
  const streamed = new Set<unknown>();
  let done = 0;
  let calls = 0;
  let ended = false;

  function finishItem(item: unknown, index: unknown, events: ModelEvent[]): void {
    if (!isObject(item)) throw malformedFailed('an output item that is not an object');
    done += 1;
    if (item['type'] === 'message') {
      const text = streamed.has(index) || streamed.has(undefined) ? '' : messageText(item);
      if (text !== '') events.push({ type: 'text', text });
      events.push({ type: 'message_end' });
    } else if (item['type'] === 'function_call' && item['status'] !== 'incomplete') {
      calls += 1;
      const id = typeof item['call_id'] === 'string' && item['call_id'] !== '' ? item['call_id'] : `call_${randomUUID()}`;
      events.push({ type: 'tool_call', id, name: textOf(item, 'name'), argumentsJson: textOf(item, 'arguments') || '{}' });
    }
  }

  function finish(chunk: JsonObject, events: ModelEvent[]): void {
    const response = chunk['response'];
    if (!isObject(response)) throw malformedFailed('an end without a response');
    // Servers that stream deltas only tell whole items here; all others repeat them.
    if (done === 0 && Array.isArray(response['output'])) response['output'].forEach((item, index) => finishItem(item, index, events));
    ended = true;
    const usage = isObject(response['usage']) ? response['usage'] : {};
    events.push({
      type: 'end',
      finishReason: chunk['type'] === 'response.incomplete' ? incompleteReason(response['incomplete_details']) : calls > 0 ? 'tool_calls' : 'stop',
      usage: usageOf(usage['input_tokens'], usage['output_tokens'], usage['total_tokens']),
    });
  }

  function read(message: EventSourceMessage, events: ModelEvent[]): void {
    if (ended || message.data === '[DONE]' || (message.event !== undefined && SKIPPED.has(message.event))) return;
    const chunk = parseChunk(message, secrets);
    switch (chunk['type']) {
      case 'response.output_text.delta':
      case 'response.refusal.delta':
        streamed.add(chunk['output_index']);
        events.push({ type: 'text', text: textOf(chunk, 'delta') });
        return;
      case 'response.reasoning_summary_text.delta':
      case 'response.reasoning_text.delta':
        events.push({ type: 'reasoning', text: textOf(chunk, 'delta') });
        return;
      case 'response.output_item.done':
        finishItem(chunk['item'], chunk['output_index'], events);
        return;
      case 'response.completed':
      case 'response.incomplete':
        finish(chunk, events);
        return;
      case 'response.failed':
        throw toldFailed(isObject(chunk['response']) ? messageOf(chunk['response']['error']) : undefined, secrets);
      default:
        if (typeof chunk['type'] !== 'string') throw malformedFailed('a chunk without a type');
    }
  }

  return {
    read,
    get ended() {
      return ended;
    },
    close: () => false,
  };
}

/** The text of a message that came without deltas. */
function messageText(item: JsonObject): string {
  const parts = Array.isArray(item['content']) ? item['content'].filter(isObject) : [];
  return parts.map((part) => part['text'] ?? part['refusal']).filter((text) => typeof text === 'string').join('');
}

function incompleteReason(details: unknown): string {
  const reason = isObject(details) ? details['reason'] : undefined;
  if (reason === 'max_output_tokens') return 'length';
  return typeof reason === 'string' ? reason : 'incomplete';
}
