// Runs the calls of one turn, all at once, and turns whatever becomes of them into results that the model can read.
import { inspect } from 'node:util';
import type { AgentContext, Answer } from '../agents/agent.ts';
import type { ToolSpec } from './model.ts';

export interface Tool extends ToolSpec {
  readonly timeoutMs: number;
  /** The arguments as `execute` takes them. @throws Error whose message says what is wrong with them */
  validate(args: unknown): unknown;
  execute(args: unknown, context: AgentContext): unknown;
}

export interface ToolCall {
  readonly id: string;
  readonly name: string;
  readonly argumentsJson: string;
}

/** How often running tools are told of: the time of a tool is its own to limit, and its reader sees nothing of it meanwhile. */
const ACTIVE_INTERVAL_MS = 5000;

interface ToolOutcome {
  readonly content: string;
  readonly isError: boolean;
}

/**
 * Runs the calls at once; each result goes to the answer when it is there.
 * @throws the reason of the context's signal as soon as it is aborted, without waiting for tools that take no notice
 */
export async function runTools(calls: readonly ToolCall[], tools: ReadonlyMap<string, Tool>, context: AgentContext, answer: Answer): Promise<void> {
  const running = setInterval(() => answer.active(), ACTIVE_INTERVAL_MS);
  const run = async (call: ToolCall): Promise<void> => {
    const startedAt = performance.now();
    const outcome = await runTool(call, tools.get(call.name), context, answer);
    context.signal.throwIfAborted();
    answer.toolResult(call.id, call.name, outcome.content, outcome.isError, performance.now() - startedAt);
  };
  try {
    await Promise.all(calls.map(run));
  } finally {
    clearInterval(running);
  }
}

async function runTool(call: ToolCall, tool: Tool | undefined, context: AgentContext, answer: Answer): Promise<ToolOutcome> {
  if (tool === undefined) return failed(`There is no tool named ${call.name}.`);
  let args: unknown;
  try {
    args = JSON.parse(call.argumentsJson);
  } catch {
    return failed(`The arguments of ${call.name} are not valid JSON.`);
  }
  try {
    const execute = async (inner: AgentContext): Promise<unknown> => tool.execute(await tool.validate(args), inner);
    const result = await withinTime(tool, context, (inner) => {
      const running = execute(inner);
      answer.follow(running);
      return running;
    });
    return { content: textOfResult(result), isError: false };
  } catch (error) {
    context.signal.throwIfAborted();
    context.logger.warn(`tool ${call.name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    return failed(error instanceof Error && error.message !== '' ? error.message : `The tool ${call.name} failed.`);
  }
}

/** Runs a tool under a signal of its own, which ends with the interaction or at the tool's timeout; either way nobody waits for it any longer. */
async function withinTime(tool: Tool, context: AgentContext, run: (inner: AgentContext) => Promise<unknown>): Promise<unknown> {
  const controller = new AbortController();
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const end = (reason: unknown) => {
    controller.abort(reason);
    reject(reason);
  };
  const onAbort = () => end(context.signal.reason);
  context.signal.throwIfAborted();
  context.signal.addEventListener('abort', onAbort, { once: true });
  const timer = setTimeout(() => end(new Error(`The tool ${tool.name} took longer than ${tool.timeoutMs / 1000} s.`)), tool.timeoutMs);
  try {
    // The race also takes the rejection of a tool that fails when nobody waits for it any more.
    return await Promise.race([run({ ...context, signal: controller.signal }), ended]);
  } finally {
    clearTimeout(timer);
    context.signal.removeEventListener('abort', onAbort);
  }
}

function failed(content: string): ToolOutcome {
  return { content, isError: true };
}

/** A string as it is, anything else as JSON; what JSON cannot say, such as a circle, as Node prints it. */
function textOfResult(result: unknown): string {
  if (typeof result === 'string') return result;
  try {
    return JSON.stringify(result, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value)) ?? '';
  } catch {
    return inspect(result, { depth: 4, breakLength: Number.POSITIVE_INFINITY });
  }
}
