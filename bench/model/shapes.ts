// The events of both OpenAI streaming APIs, with the members that the real ones carry, so that a client parses as much as it would in earnest.
import { USAGE } from '../answer.ts';
import type { Api } from '../apis.ts';

/** How one API tells an answer; every element is a whole event. */
interface Shape {
  readonly opening: () => string[];
  readonly delta: (text: string, index: number) => string;
  readonly closing: (text: string) => string[];
}

const CREATED = 1_760_000_000;
const MODEL_ID = 'bench-model';

const completionChunk = (choices: readonly unknown[], usage: unknown = null) =>
  `data: ${JSON.stringify({
    id: 'chatcmpl-Bench00000000000000000000000',
    object: 'chat.completion.chunk',
    created: CREATED,
    model: MODEL_ID,
    service_tier: 'default',
    system_fingerprint: 'fp_bench',
    choices,
    usage,
  })}\n\n`;

const choice = (delta: unknown, finishReason: string | null = null) => ({ index: 0, delta, logprobs: null, finish_reason: finishReason });

// https://platform.openai.com/docs/api-reference/chat-streaming
const chatCompletions: Shape = {
  opening: () => [completionChunk([choice({ role: 'assistant', content: '', refusal: null })])],
  delta: (text) => completionChunk([choice({ content: text })]),
  closing: () => [
    completionChunk([choice({}, 'stop')]),
    completionChunk([], { prompt_tokens: USAGE.input, completion_tokens: USAGE.output, total_tokens: USAGE.total }),
    'data: [DONE]\n\n',
  ],
};

const ITEM_ID = 'msg_bench0000000000000000000000000000000000';

const responseEvent = (type: string, sequence: number, members: object) =>
  `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequence, ...members })}\n\n`;

const response = (status: string, output: readonly unknown[], usage: unknown) => ({
  response: {
    id: 'resp_bench000000000000000000000000000000000',
    object: 'response',
    created_at: CREATED,
    status,
    error: null,
    incomplete_details: null,
    model: MODEL_ID,
    output,
    parallel_tool_calls: true,
    store: false,
    tool_choice: 'auto',
    tools: [],
    usage,
  },
});

const message = (status: string, content: readonly unknown[]) => ({ id: ITEM_ID, type: 'message', status, content, role: 'assistant' });
const part = (text: string) => ({ type: 'output_text', annotations: [], logprobs: [], text });
const place = { item_id: ITEM_ID, output_index: 0, content_index: 0 };
const OPENING_EVENTS = 4;

// https://platform.openai.com/docs/api-reference/responses-streaming
const responses: Shape = {
  opening: () => [
    responseEvent('response.created', 0, response('in_progress', [], null)),
    responseEvent('response.in_progress', 1, response('in_progress', [], null)),
    responseEvent('response.output_item.added', 2, { output_index: 0, item: message('in_progress', []) }),
    responseEvent('response.content_part.added', 3, { ...place, part: part('') }),
  ],
  delta: (text, index) => responseEvent('response.output_text.delta', OPENING_EVENTS + index, { ...place, delta: text, logprobs: [] }),
  closing: (text) => {
    const next = OPENING_EVENTS + USAGE.output;
    const done = message('completed', [part(text)]);
    const usage = {
      input_tokens: USAGE.input,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: USAGE.output,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: USAGE.total,
    };
    return [
      responseEvent('response.output_text.done', next, { ...place, text, logprobs: [] }),
      responseEvent('response.content_part.done', next + 1, { ...place, part: part(text) }),
      responseEvent('response.output_item.done', next + 2, { output_index: 0, item: done }),
      responseEvent('response.completed', next + 3, response('completed', [done], usage)),
    ];
  },
};

export const SHAPES: Readonly<Record<Api, Shape>> = { chat_completions: chatCompletions, responses };
