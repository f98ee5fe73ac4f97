// What a loaded agent is to the rest of the worker, whatever kind of file it came from.
import type { ModelName, SessionItem, TokenUsage, UploadedFile } from '../../../shared/chat.ts';
import type { AgentFacts, McpServerState, ServeTask } from '../../../shared/protocol.ts';

/** One interaction's input: what it was asked, in which session. */
export interface AgentInput {
  readonly message: string;
  /** Items of the session's earlier turns, oldest first. */
  readonly history: readonly SessionItem[];
  /** How many turns the session has had, those that `history` leaves out included. */
  readonly turnCount: number;
}

/** What an agent's own code is given, in `chat(input, context)` and in a tool's `execute(args, context)`. */
export interface AgentContext {
  readonly agentName: string;
  readonly interactionId: string;
  readonly sessionId: string;
  readonly userId: string;
  readonly history: readonly SessionItem[];
  readonly files: readonly UploadedFile[];
  /** The interaction's environment: the same values as `process.env`, also in callbacks that another interaction caused. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted when the interaction is cancelled or its time is over. */
  readonly signal: AbortSignal;
  readonly logger: AgentLogger;
}

/** Lines for the server's own log, with the interaction's id. */
export interface AgentLogger {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** How an interaction's answer ends, beside what went through the `Answer` already. */
export interface AnswerEnd {
  /** Sum over the model calls that ended; null where nothing is known. */
  readonly usage: TokenUsage | null;
  /** The model that answered; null where the agent does not say. */
  readonly model: ModelName | null;
  /** As the model names it: stop, length, content_filter … */
  readonly finishReason: string;
  /** The turn's items after the user's message, where the agent keeps them itself; those that went through the `Answer` where it is left out. */
  readonly items?: readonly object[];
}

/** Tells the supervisor of the MCP servers that an agent holds: the state of each, and the processes to be ended with the worker. */
export type McpReport = (servers: readonly McpServerState[], pids: readonly number[]) => void;

/** Where an agent puts its answer, piece by piece. Nothing here blocks: an agent that makes much of it awaits `ready()` now and then. */
export interface Answer {
  /** A piece of the current message. Empty pieces are ignored. */
  text(piece: string): void;
  /** The current message is complete: the next piece of text begins another. Does nothing when the message is empty. */
  endMessage(): void;
  reasoning(piece: string): void;
  /** `arguments` as the model wrote them, a JSON text; what does not parse is shown as a string. */
  toolCall(id: string, name: string, argumentsJson: string): void;
  /** The result of a call that `toolCall` told of. */
  toolResult(id: string, name: string, content: string, isError: boolean, durationMs: number): void;
  handoff(from: string, to: string): void;
  /** Something happened that its reader is not shown: the agent is not silent. */
  active(): void;
  /** Undefined: go on. A promise: wait for it, the reader is behind. Rejects when the interaction is aborted. */
  ready(): Promise<void> | undefined;
  /** Code of the agent that was started, and settles when it has ended: what still runs of it after a cancel ignores the cancel. */
  follow(code: Promise<unknown>): void;
  /** The turn's items so far, the user's message first: what a model is sent after the history, and what the session keeps. */
  readonly items: readonly SessionItem[];
}

/** With what a worker loads its agent; see ServeTask. */
export interface LoadOptions extends Pick<ServeTask, 'temperature' | 'maxTokens' | 'concurrency' | 'baseEnv' | 'usedDefinitions' | 'configRoot'> {
  readonly reportMcps: McpReport;
}

/** An agent that can answer. */
export interface LoadedAgent {
  readonly facts: AgentFacts;
  /** `environment` of the agent: set for every interaction, under what the request sets. */
  readonly environment: Readonly<Record<string, string>>;
  /** The model that will answer in this environment, as the `start` event names it. */
  modelFor(env: Readonly<Record<string, string | undefined>>): ModelName | null;
  /**
   * Answers one interaction. Runs inside the interaction's environment.
   * @throws AppError with an EndCode; anything else is told as agent_failed. After an abort, whatever it throws is ignored.
   * The usage that `AnswerEnd` tells is `usage.total()` for an agent that calls models itself.
   */
  run(input: AgentInput, context: AgentContext, answer: Answer, usage: UsageMeter): Promise<AnswerEnd>;
  /** Ends what the agent holds (connections, child processes) when its worker closes. */
  close(): Promise<void>;
}

/** Sums the usage of an interaction's model calls, so that it is known however the interaction ends. */
export interface UsageMeter {
  /** A model call was sent. */
  callStarted(): void;
  /** A model call ended whole; null where the model did not tell its usage. `by` is told where several agents may take part. */
  callEnded(usage: TokenUsage | null, by?: { readonly agent: string; readonly model: ModelName }): void;
  /** The sum, `partial` when a call was cut; null when nothing is known. */
  total(): TokenUsage | null;
}
