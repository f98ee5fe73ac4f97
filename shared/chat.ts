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
  /** Where more than one agent asked a model: what each used, in the order in which they first did. */
  readonly by_agent?: readonly AgentUsage[];
}

export interface AgentUsage {
  readonly agent: string;
  readonly model: ModelName;
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly total_tokens: number;
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

/** A file that came with an interaction, for as long as it runs. */
export interface UploadedFile {
  /** As the client named it, made safe: no path, no controls, unlike any other of its interaction. */
  readonly name: string;
  /** Media type, by its content; the client's word for it counts among the kinds of text only. */
  readonly type: string;
  /** Bytes. */
  readonly size: number;
  /** Absolute. */
  readonly path: string;
}

/** What a model is sent of the user, where that is more than a text; as the OpenAI Agents protocol has it. */
export type UserPart =
  | { readonly type: 'input_text'; readonly text: string }
  /** `image` is a data: URL. */
  | { readonly type: 'input_image'; readonly image: string };

/** What a model is sent: the session's items, the user's message of this turn perhaps in parts. */
export type ModelItem = SessionItem | { readonly type: 'message'; readonly role: 'user'; readonly content: readonly UserPart[] };

export interface Prompt {
  readonly name: string;
  readonly prompt: string;
}

export type InteractionStatus = 'queued' | 'running' | 'success' | 'error' | 'cancelled' | 'timeout';

/** Largest text of one answer, in UTF-16 units: a session holds at most 8 MiB, so a longer one could never be kept. */
export const MAX_ANSWER_LENGTH = 8 * 1024 * 1024;

/** Where the arguments and results of tools are cut in events and in `tool_calls`, in UTF-16 units. */
export const MAX_TOOL_TEXT_LENGTH = 32 * 1024;
