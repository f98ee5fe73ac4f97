// The scripted model's answers as OpenAI's Responses API words them, streamed and whole.
import { piecesOf, type Content } from './model_steps.ts';

/** One server-sent event; `piece` marks those that carry something new, which delays and cuts count. */
export interface WireEvent {
  readonly text: string;
  readonly piece: boolean;
}

export function responsesEvents(content: Content, model: string): WireEvent[] {
  const events: WireEvent[] = [];
  let sequence = 0;
  const add = (type: string, fields: object, piece = false) => {
    events.push({ text: `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequence++, ...fields })}\n\n`, piece });
  };
  const whole = wholeResponse(content, model);
  add('response.created', { response: { ...whole, status: 'in_progress', output: [], usage: null } });
  add('response.in_progress', { response: { ...whole, status: 'in_progress', output: [], usage: null } });
  whole.output.forEach((item, output_index) => {
    const at = { item_id: item.id, output_index };
    add('response.output_item.added', { output_index, item: { ...item, status: 'in_progress', ...emptied(item.type) } });
    if (item.type === 'reasoning') {
      add('response.reasoning_summary_part.added', { ...at, summary_index: 0, part: { type: 'summary_text', text: '' } });
      for (const delta of content.reasoning) add('response.reasoning_summary_text.delta', { ...at, summary_index: 0, delta }, true);
    } else if (item.type === 'function_call') {
      for (const delta of halves(item.arguments)) add('response.function_call_arguments.delta', { ...at, delta }, true);
      add('response.function_call_arguments.done', { ...at, arguments: item.arguments });
    } else {
      const part = item.content[0];
      const inPart = { ...at, content_index: 0 };
      if (part.type === 'refusal') {
        add('response.content_part.added', { ...inPart, part: { ...part, refusal: '' } });
        add('response.refusal.delta', { ...inPart, delta: part.refusal }, true);
        add('response.refusal.done', { ...inPart, refusal: part.refusal });
      } else {
        add('response.content_part.added', { ...inPart, part: { ...part, text: '' } });
        for (const delta of piecesOf(part.text)) add('response.output_text.delta', { ...inPart, delta, logprobs: [] }, true);
        add('response.output_text.done', { ...inPart, text: part.text, logprobs: [] });
      }
      add('response.content_part.done', { ...inPart, part });
    }
    add('response.output_item.done', { output_index, item });
  });
  add(content.finish === 'stop' ? 'response.completed' : 'response.incomplete', { response: whole });
  return events;
}

type Part =
  | { readonly type: 'output_text'; readonly text: string; readonly annotations: readonly [] }
  | { readonly type: 'refusal'; readonly refusal: string };

type OutputItem =
  | { readonly id: string; readonly type: 'reasoning'; readonly summary: readonly object[] }
  | {
      readonly id: string;
      readonly type: 'message';
      readonly role: 'assistant';
      readonly status: string;
      readonly content: readonly [Part];
    }
  | {
      readonly id: string;
      readonly type: 'function_call';
      readonly status: string;
      readonly call_id: string;
      readonly name: string;
      readonly arguments: string;
    };

export function wholeResponse(content: Content, model: string) {
  const output: OutputItem[] = [];
  const reasoning = content.reasoning.join('');
  if (reasoning !== '') output.push({ id: 'rs_1', type: 'reasoning', summary: [{ type: 'summary_text', text: reasoning }] });
  const message = (part: Part) =>
    output.push({ id: `msg_${output.length}`, type: 'message', role: 'assistant', status: 'completed', content: [part] });
  for (const pieces of content.messages) message({ type: 'output_text', text: pieces.join(''), annotations: [] });
  if (content.refusal !== null) message({ type: 'refusal', refusal: content.refusal });
  for (const call of content.calls) {
    const { id: call_id, name, arguments: args } = call;
    output.push({ id: `fc_${output.length}`, type: 'function_call', status: 'completed', call_id, name, arguments: args });
  }
  const reason = content.finish === 'length' ? 'max_output_tokens' : content.finish;
  return {
    id: 'resp_1',
    object: 'response',
    created_at: 1_700_000_000,
    model,
    status: content.finish === 'stop' ? 'completed' : 'incomplete',
    incomplete_details: content.finish === 'stop' ? null : { reason },
    error: null,
    output,
    usage: content.usage && {
      input_tokens: content.usage.input,
      output_tokens: content.usage.output,
      total_tokens: content.usage.input + content.usage.output,
    },
  };
}

function emptied(type: OutputItem['type']): object {
  return type === 'reasoning' ? { summary: [] } : type === 'function_call' ? { arguments: '' } : { content: [] };
}

function halves(text: string): string[] {
  const middle = Math.ceil(text.length / 2);
  return [text.slice(0, middle), text.slice(middle)].filter((half) => half !== '');
}
