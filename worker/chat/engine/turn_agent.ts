// An agent as the turns of an interaction see it, and what the agents of one interaction share.
import type { AgentContext, Answer, UsageMeter } from '../agents/agent.ts';
import type { Environment, Model, ToolSpec } from './model.ts';
import type { Output } from './output.ts';
import type { Tool } from './tools.ts';

/** One agent of those that may speak in an interaction. */
export interface TurnAgent {
  readonly name: string;
  readonly model: Model;
  /** The system prompt, filled from the interaction's environment. */
  readonly instructions: (env: Environment) => string;
  /** What its answer must look like; null where it may be any text. */
  readonly output: Output | null;
  /** Whom it may hand over to, by the name of the tool that does it. */
  readonly handoffs: ReadonlyMap<string, TurnAgent>;
  /** The tools of one interaction; closed when it is over. */
  openTools(run: AgentRun): Toolbox | Promise<Toolbox>;
}

/** What the agents of one interaction share. */
export interface AgentRun {
  readonly context: AgentContext;
  readonly answer: Answer;
  readonly usage: UsageMeter;
}

export interface Toolbox {
  /** What the model is told. The same array as long as nothing changed: its form for the API is kept by it. */
  readonly specs: readonly ToolSpec[];
  readonly tools: ReadonlyMap<string, Tool>;
  /** Never rejects. */
  close(): Promise<void>;
}
