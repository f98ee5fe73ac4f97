// The scripted model's answers as OpenAI's Chat Completions API words them, streamed and whole.
import type { Content } from './model_steps.ts';
import type { WireEvent } from './responses_wire.ts';

export function chatCompletionsEvents(content: Content, model: string, withUsage: boolean, done: boolean): WireEvent[] {
  const events: WireEvent[] = [];
  const base = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1_700_000_000, model };
  const add = (fields: object, piece = false) => events.push({ text: `data: ${JSON.stringify({ ...base, ...fields })}\n\n`, piece });
  const delta = (fields: object, piece = true) => add({ choices: [{ index: 0, delta: fields, finish_reason: null }] }, piece);
  delta({ role: 'assistant', content: '' }, false);
  for (const reasoning_content of content.reasoning) delta({ reasoning_content });
  for (const piece of content.messages.flat()) delta({ content: piece });
  if (content.refusal !== null) delta({ refusal: content.refusal });
  content.calls.forEach((call, index) => {
    const middle = Math.ceil(call.arguments.length / 2);
    delta({ tool_calls: [{ index, id: call.id, type: 'function', function: { name: call.name, arguments: '' } }] });
    for (const half of [call.arguments.slice(0, middle), call.arguments.slice(middle)]) {
      delta({ tool_calls: [{ index, function: { arguments: half } }] });
    }
  });
  add({ choices: [{ index: 0, delta: {}, finish_reason: finishReason(content) }] });
  if (withUsage && content.usage !== null) add({ choices: [], usage: usageOf(content) });
  if (done) events.push({ text: 'data: [DONE]\n\n', piece: false });
  return events;
}

export function wholeCompletion(content: Content, model: string): object {
  const text = content.messages.flat().join('');
  const toolCalls = content.calls.map((call) => ({ id: call.id, type: 'function', function: { name: call.name, arguments: call.arguments } }));
  const message = { role: 'assistant', content: text || null, refusal: content.refusal, ...(toolCalls.length > 0 ? { tool_calls: toolCalls } : {}) };
  return {
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1_700_000_000,
    model,
    choices: [{ index: 0, message, finish_reason: finishReason(content), logprobs: null }],
    ...(content.usage === null ? {} : { usage: usageOf(content) }),
  };
}

function finishReason(content: Content): string {
  return content.finish === 'stop' && content.calls.length > 0 ? 'tool_calls' : content.finish;
}

function usageOf({ usage }: Content): object | null {
  return usage && { prompt_tokens: usage.input, completion_tokens: usage.output, total_tokens: usage.input + usage.output };
}
