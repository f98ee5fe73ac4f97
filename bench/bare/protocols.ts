// The bodies and events of the two OpenAI APIs, as far as the opponent needs them.
import type { Api } from '../apis.ts';

export interface TokenUsage {
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly total_tokens: number;
}

/** What one event tells. */
interface Step {
  text?: string;
  usage?: TokenUsage;
  finishReason?: string;
}

interface Protocol {
  readonly body: (modelId: string, system: string, message: string) => object;
  /** Reads the `data` of one event. */
  readonly read: (data: string) => Step;
}

interface CompletionChunk {
  readonly choices: readonly { readonly delta: { readonly content?: string | null }; readonly finish_reason: string | null }[];
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number; readonly total_tokens: number } | null;
}

type ResponseEvent =
  | { readonly type: 'response.output_text.delta'; readonly delta: string }
  | { readonly type: 'response.completed'; readonly response: { readonly usage: TokenUsage } }
  | { readonly type: 'response.failed'; readonly response: { readonly error: { readonly message: string } } };

const NOTHING: Step = {};

const chatCompletions: Protocol = {
  body: (model, system, message) => ({
    model,
    stream: true,
    stream_options: { include_usage: true },
    messages: [
      { role: 'system', content: system },
      { role: 'user', content: message },
    ],
  }),
  read: (data) => {
    if (data === '[DONE]') return NOTHING;
    const { choices, usage } = JSON.parse(data) as CompletionChunk;
    const step: Step = {};
    const choice = choices[0];
    if (choice?.delta.content != null) step.text = choice.delta.content;
    if (choice?.finish_reason != null) step.finishReason = choice.finish_reason;
    if (usage != null) step.usage = { input_tokens: usage.prompt_tokens, output_tokens: usage.completion_tokens, total_tokens: usage.total_tokens };
    return step;
  },
};

const responses: Protocol = {
  body: (model, system, message) => ({ model, stream: true, store: false, instructions: system, input: [{ role: 'user', content: message }] }),
  read: (data) => {
    const event = JSON.parse(data) as ResponseEvent;
    switch (event.type) {
      case 'response.output_text.delta':
        return { text: event.delta };
      case 'response.completed': {
        const { input_tokens, output_tokens, total_tokens } = event.response.usage;
        return { usage: { input_tokens, output_tokens, total_tokens }, finishReason: 'stop' };
      }
      case 'response.failed':
        throw new Error(`model: ${event.response.error.message}`);
      default:
        return NOTHING;
    }
  },
};

export const PROTOCOLS: Readonly<Record<Api, Protocol>> = { chat_completions: chatCompletions, responses };
