// What a model is to the turns: one call in, what it says out, whether an API on the network or the offline model stands behind it.
import type { ModelItem, ModelName, TokenUsage } from '../../../shared/chat.ts';
import type { AgentLogger } from '../agents/agent.ts';

/** The interaction's environment, in which a model looks for its key. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A tool as a model is told of it. */
export interface ToolSpec {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of an object. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

export interface ModelCall {
  readonly instructions: string;
  /** The history, then the turn so far: at least the user's message. */
  readonly items: readonly ModelItem[];
  /** The same array for as long as they are the same: its form for the API is kept by it. */
  readonly tools: readonly ToolSpec[];
  /** Which turn of the session this is, from 1. */
  readonly turn: number;
  readonly env: Environment;
  readonly logger: AgentLogger;
}

/** What a model says. A call's last event is `end`; a call without one was cut, and has thrown. */
export type ModelEvent =
  | { readonly type: 'text'; readonly text: string }
  /** The message is complete; more text is another message. */
  | { readonly type: 'message_end' }
  | { readonly type: 'reasoning'; readonly text: string }
  | { readonly type: 'tool_call'; readonly id: string; readonly name: string; readonly argumentsJson: string }
  | { readonly type: 'end'; readonly finishReason: string; readonly usage: TokenUsage | null };

export interface Model {
  /** The model that answers in this environment. */
  nameFor(env: Environment): ModelName;
  /**
   * One call, one array of events per chunk received: an await per token would cost more than the token.
   * @throws AppError MODEL_FAILED or MODEL_AUTH_FAILED; after an abort, the signal's reason
   */
  call(call: ModelCall, signal: AbortSignal): AsyncIterable<readonly ModelEvent[]>;
}
