// The domain's words as types: what a client sends, what an agent answers, what a session keeps. Wire names are the contract's own (snake_case).

/** A model as every answer, event and log row names it. */
export interface ModelName {
  readonly model_id: string;
  readonly provider: string;
}

/** Tokens of the model calls that ended; `partial` when one more was cut and could not be counted. */
export interface TokenUsage {
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly total_tokens: number;
  readonly partial?: true;
}

export interface ToolCallSummary {
  readonly name: string;
  readonly duration_ms: number;
  readonly arguments?: unknown;
  readonly result?: string;
  readonly truncated?: true;
}

/** The `content` object of `POST /chat`, of the `output` event and of `GET /chat/{id}`. */
export interface OutputContent {
  readonly content: string;
  readonly agent: string;
  readonly model: ModelName | null;
  readonly token_usage: TokenUsage | null;
  readonly finish_reason: string;
  readonly tool_calls: readonly ToolCallSummary[];
}

/** What happens inside an interaction, as a reader of its stream sees it. `message` counts the agent's messages from 1. */
export type AgentEvent =
  | { readonly type: 'text'; readonly content: string; readonly message: number }
  | { readonly type: 'reasoning'; readonly content: string; readonly message: number }
  | { readonly type: 'tool_call'; readonly id: string; readonly name: string; readonly arguments: unknown }
  | {
      readonly type: 'tool_result';
      readonly id: string;
      readonly name: string;
      readonly content: string;
      readonly is_error: boolean;
      readonly duration_ms: number;
    }
  | { readonly type: 'handoff'; readonly from: string; readonly to: string };

/** Session items are those of the OpenAI Agents protocol (https://openai.github.io/openai-agents-js), so an SDK agent can take them as they are. */
export type SessionItem =
  | { readonly type: 'message'; readonly role: 'user' | 'system'; readonly content: string }
  | {
      readonly type: 'message';
      readonly role: 'assistant';
      readonly status: 'completed';
      readonly content: readonly { readonly type: 'output_text'; readonly text: string }[];
    }
  | {
      readonly type: 'function_call';
      readonly callId: string;
      readonly name: string;
      readonly arguments: string;
      readonly status: 'completed';
    }
  | {
      readonly type: 'function_call_result';
      readonly callId: string;
      readonly name: string;
      readonly status: 'completed';
      readonly output: { readonly type: 'text'; readonly text: string };
    };

export interface Prompt {
  readonly name: string;
  readonly prompt: string;
}

export type InteractionStatus = 'queued' | 'running' | 'success' | 'error' | 'cancelled' | 'timeout';

/** Largest text of one answer, in UTF-16 units: a session holds at most 8 MiB, so a longer one could never be kept. */
export const MAX_ANSWER_LENGTH = 8 * 1024 * 1024;

/** Where the arguments and results of tools are cut in events and in `tool_calls`, in UTF-16 units. */
export const MAX_TOOL_TEXT_LENGTH = 32 * 1024;
