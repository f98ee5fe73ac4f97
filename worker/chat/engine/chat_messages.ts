// A conversation as the Chat Completions API takes it: calls belong to a message of the assistant, and their results follow it at once.
import type { ModelItem, UserPart } from '../../../shared/chat.ts';
import { outputText, wellFormedArguments, type JsonObject } from './api.ts';
import { pairedItems } from './paired_items.ts';

interface AssistantMessage {
  readonly role: 'assistant';
  content: string | null;
  tool_calls?: JsonObject[];
}

/** Other APIs and agents say things between a call and its result: here that becomes part of the message with the calls. */
export function messagesOf(instructions: string, items: readonly ModelItem[]): JsonObject[] {
  const messages: JsonObject[] = instructions === '' ? [] : [{ role: 'system', content: instructions }];
  /** The assistant's message, as long as nothing else has followed it or results of its calls are missing. */
  let assistant: AssistantMessage | null = null;
  const open = new Set<string>();
  const say = (content: string | null): AssistantMessage => {
    const message: AssistantMessage = { role: 'assistant', content };
    messages.push(message as unknown as JsonObject);
    return message;
  };
  for (const item of pairedItems(items)) {
    if (item.type === 'function_call') {
      assistant ??= say(null);
      open.add(item.callId);
      const call = { id: item.callId, type: 'function', function: { name: item.name, arguments: wellFormedArguments(item.arguments) } };
      (assistant.tool_calls ??= []).push(call);
    } else if (item.type === 'function_call_result') {
      messages.push({ role: 'tool', tool_call_id: item.callId, content: outputText(item.output) });
      open.delete(item.callId);
      if (open.size === 0) assistant = null;
    } else if (item.type === 'message' && item.role === 'assistant') {
      const text = item.content.map((part) => part.text).join('');
      if (assistant !== null && open.size > 0) assistant.content = assistant.content === null ? text : `${assistant.content}\n\n${text}`;
      else assistant = say(text);
    } else if (item.type === 'message') {
      assistant = null;
      messages.push({ role: item.role, content: typeof item.content === 'string' ? item.content : item.content.map(contentPart) });
    }
  }
  return messages;
}

function contentPart(part: UserPart): JsonObject {
  return part.type === 'input_text' ? { type: 'text', text: part.text } : { type: 'image_url', image_url: { url: part.image } };
}
