// Every message that crosses between the supervisor and a worker. One line (a MessagePort) a worker; each message on it is an array of frames.
import type { MessagePort } from 'node:worker_threads';
import type { ReadDefinition } from './agent/definition.ts';
import type { LoadFailure } from './agent/load_error.ts';
import type { ModelName, Prompt, TokenUsage, UploadedFile } from './chat.ts';
import type { EndCode } from './errors.ts';

/** The one task of a worker's thread, which lasts as long as the thread serves. `line` travels in the transfer list. */
export interface ServeTask {
  readonly line: MessagePort;
  /** Absolute path of the agent's file. */
  readonly agentFile: string;
  /** Of a file that holds one, read and checked; null where the file is a module. */
  readonly definition: ReadDefinition | null;
  /** Definitions that it names in `agents`, and those that these name, by absolute path; read together with it, so that all workers run the same. */
  readonly usedDefinitions: Readonly<Record<string, ReadDefinition>>;
  /** Where agents are looked for by name; absolute. */
  readonly configRoot: string;
  /** The name it was asked for: the agent's own `name` may differ. */
  readonly agentName: string;
  /** What `process.env` is outside of any interaction. */
  readonly baseEnv: Readonly<Record<string, string>>;
  /** Command line overrides of the model's parameters; null leaves the agent's. */
  readonly temperature: number | null;
  readonly maxTokens: number | null;
  readonly concurrency: number;
  /** Whether to tell which files the agent's modules load. */
  readonly tellsFiles: boolean;
  /** The agent's own modules as far as the generation has them; none for its first workers. */
  readonly modules: GenerationModules;
  /** See `SharedState`. */
  readonly shared: SharedArrayBuffer;
}

/** What the agent's own modules were when the generation's workers first imported them, so that those that start later run the same. */
export interface GenerationModules<Memory extends ArrayBufferLike = SharedArrayBuffer> {
  readonly read: readonly ReadModule<Memory>[];
  readonly found: readonly FoundModule[];
}

export interface ReadModule<Memory extends ArrayBufferLike = SharedArrayBuffer> {
  readonly url: string;
  /** As Node's loader names it, such as `module-typescript`. */
  readonly format: string;
  /** The file's content, in memory that all threads share, but for what another process is sent. */
  readonly bytes: Uint8Array<Memory>;
}

/** Where an import led. */
export interface FoundModule {
  /** What was asked for: how, from where, by which words. */
  readonly request: string;
  readonly url: string;
  /** Where none is known yet, null would keep Node from finding out. */
  readonly format: string | undefined;
}

/**
 * The memory that supervisor and worker share, an Int32Array: cell 0 is the heartbeat, which the worker's event loop counts up; cell 1 + seat is the
 * claim of the interaction on that seat. A claim is won once: by the worker when it starts (0 → CLAIM_STARTED), or by the supervisor that takes the
 * interaction back from a worker that does not answer (0 → CLAIM_WITHDRAWN).
 */
export const BEAT_CELL = 0;
export const FIRST_CLAIM_CELL = 1;
export const CLAIM_FREE = 0;
export const CLAIM_STARTED = 1;
export const CLAIM_WITHDRAWN = 2;
/** How often a worker counts its heartbeat up, in ms. */
export const BEAT_INTERVAL_MS = 100;

/** How many bytes (UTF-16 units of event JSON) of an interaction may be on the way to its reader before the worker waits. */
export const CREDIT_WINDOW = 128 * 1024;

/** How much log text of one worker (UTF-16 units) may be on the way before the worker drops more, counting it. */
export const LOG_WINDOW = 256 * 1024;

export type LogFrameLevel = 'debug' | 'info' | 'warn' | 'error';

export interface InteractionTask {
  readonly id: string;
  readonly seat: number;
  readonly sessionId: string;
  readonly userId: string;
  readonly message: string;
  readonly files: readonly UploadedFile[];
  /** The session's turns, oldest first, each a JSON array of session items: parsed in the worker only. */
  readonly turns: readonly string[];
  /** How many turns the session has, those left out of `turns` included. */
  readonly turnCount: number;
  /** The variables that the request set. */
  readonly env: Readonly<Record<string, string>>;
  readonly verbose: boolean;
  /** Nobody reads along: pieces of text may be joined, per tick, into one event. */
  readonly joinText: boolean;
}

/** Supervisor → worker. */
export type SupervisorFrame =
  /** Start this interaction, if its claim can be won. */
  | { readonly type: 'run'; readonly task: InteractionTask }
  /** Abort it; its `ended` frame still comes. What its agent's code does for longer than the grace is told by a `deaf` frame. */
  | { readonly type: 'cancel'; readonly id: string; readonly graceMs: number }
  /** The reader has taken so much more. */
  | { readonly type: 'credit'; readonly id: string; readonly units: number }
  /** So much of the agent's log text has been written. */
  | { readonly type: 'log_credit'; readonly units: number }
  /** No more interactions come: close what the agent holds and end the task. */
  | { readonly type: 'close' };

/** Worker → supervisor. */
export type WorkerFrame =
  /** The agent is loaded. */
  | { readonly type: 'ready'; readonly facts: AgentFacts; readonly lastingHeap: HeapFigures }
  /** It is not, and this is why. */
  | { readonly type: 'load_failed'; readonly reason: LoadFailure }
  /** The interaction has entered its environment; the model that will answer, where it is known. */
  | { readonly type: 'started'; readonly id: string; readonly model: ModelName | null }
  /** A `run` frame whose claim had been withdrawn was read: its seat is free again. */
  | { readonly type: 'skipped'; readonly seat: number }
  /** The agent did something that its reader is not shown: it is not silent. At most once a second. */
  | { readonly type: 'active'; readonly id: string }
  /** Events in order, each as its JSON. */
  | { readonly type: 'events'; readonly id: string; readonly events: readonly string[] }
  /** The one last frame of an interaction. */
  | { readonly type: 'ended'; readonly id: string; readonly end: InteractionEnd }
  /** Code of this interaction, which was cancelled and has ended, still runs after its grace: only the end of the worker may end it. */
  | { readonly type: 'deaf'; readonly id: string }
  /** After that: it has ended by itself. */
  | { readonly type: 'heard'; readonly id: string }
  /** The MCP servers' states, all of them, whenever one has changed; and the processes that the worker holds, to be ended with it. */
  | { readonly type: 'mcps'; readonly servers: readonly McpServerState[]; readonly pids: readonly number[] }
  /** Local files that the agent's modules have loaded since the last such frame; absolute paths. Those of its start come before `ready` and `load_failed`. */
  | { readonly type: 'files'; readonly files: readonly string[] }
  /** What it had to look for and to read itself of the agent's modules since the last such frame. Those of its start come before `ready`. */
  | { readonly type: 'modules'; readonly modules: GenerationModules }
  /** Something the agent printed or logged, with the interaction that did. */
  | { readonly type: 'log'; readonly id: string | null; readonly level: LogFrameLevel; readonly text: string }
  /** An error came out of no await: told of its interaction if that can be known, and the worker must be replaced. */
  | { readonly type: 'stray'; readonly id: string | null }
  /** Twice a second: heap in use, what the latest full collection has left of it, and how late the event loop was. */
  | { readonly type: 'gauges'; readonly heapMb: number; readonly lastingHeap: HeapFigures; readonly eventLoopLagMs: number };

/** What a worker's heap holds that no collection frees. */
export interface HeapFigures {
  readonly mb: number;
  /** The most that it may be; more, and the thread ends. */
  readonly capMb: number;
}

export type InteractionEnd =
  | {
      readonly status: 'success';
      /** The last message as a JSON string, quotes included: `OutputContent.content`, and `response` of `POST /chat`. */
      readonly contentJson: string;
      /** The one that answered, where that is known. */
      readonly model: ModelName | null;
      /** The other members of the `OutputContent` as JSON without braces: `"agent":…,"tool_calls":[…]`. */
      readonly restJson: string;
      /** JSON array of the turn's session items. */
      readonly items: string;
      readonly itemCount: number;
      readonly usage: TokenUsage | null;
    }
  | { readonly status: 'error'; readonly code: EndCode; readonly message: string; readonly usage: TokenUsage | null };

/** An MCP server as one worker sees it. */
export interface McpServerState {
  readonly name: string;
  /** `per_interaction`: connected for each interaction, with its caller's own variables. */
  readonly state: 'connecting' | 'connected' | 'down' | 'per_interaction';
  /** Why it is down; no secret, no path. */
  readonly error: string | null;
}

export interface McpServerFacts {
  readonly name: string;
  readonly transport: 'stdio' | 'http';
  /** Each interaction has a connection of its own. */
  readonly perInteraction: boolean;
  /** The server's own names of the tools that the agent is given; empty where only an interaction can list them. */
  readonly tools: readonly string[];
}

/** What is known of an agent once it is loaded; no secret, no path. */
export interface AgentFacts {
  readonly name: string;
  readonly description: string;
  readonly framework: 'declarative' | 'openai-agents' | 'generator';
  /** The model that answers when an interaction brings no key of its own; null where the agent does not say. */
  readonly model: ModelName | null;
  readonly tools: readonly { readonly name: string; readonly description: string }[];
  readonly mcps: readonly McpServerFacts[];
  /** Other agents that it may use, itself not among them. */
  readonly agents: readonly string[];
  readonly prompts: readonly Prompt[];
  readonly requestEnv: readonly string[];
  /** Whoever may chat may also ask for a worker of its own for an interaction. */
  readonly allowReinitialize: boolean;
  /** What a new version has to answer before it takes over; null: nothing. */
  readonly smokeTest: string | null;
  /** Most session items that the model is given. */
  readonly maxItems: number;
  /** The agent's own port, where it names one. */
  readonly port: number | null;
  readonly tags: readonly string[];
  readonly maxTurns: number;
  /** Lines that the start prints, such as that the offline model answers. */
  readonly warnings: readonly string[];
}
