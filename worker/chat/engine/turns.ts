// The loop of a declarative agent: the model speaks, its tools run, it reads their results and speaks again.
import { AppError } from '../../../shared/errors.ts';
import type { AgentContext, AgentInput, Answer, AnswerEnd, UsageMeter } from '../agents/agent.ts';
import type { Environment, Model, ModelEvent } from './model.ts';
import { runTools, type Tool, type ToolCall } from './tools.ts';

interface TurnsSettings {
  readonly model: Model;
  readonly tools: ReadonlyMap<string, Tool>;
  /** The system prompt, filled from the interaction's environment. */
  readonly instructions: (env: Environment) => string;
  /** Most model calls of one interaction. */
  readonly maxTurns: number;
}

/**
 * Answers one interaction.
 * @throws AppError MODEL_FAILED, MODEL_AUTH_FAILED, MAX_TURNS; after an abort, the signal's reason
 */
export async function runTurns(
  settings: TurnsSettings,
  input: AgentInput,
  context: AgentContext,
  answer: Answer,
  usage: UsageMeter,
): Promise<AnswerEnd> {
  const { model, tools, maxTurns } = settings;
  const { env, logger, signal } = context;
  const instructions = settings.instructions(env);
  for (let turn = 1; turn <= maxTurns; turn += 1) {
    const calls: ToolCall[] = [];
    let finishReason = 'stop';
    usage.callStarted();
    const call = { instructions, items: [...input.history, ...answer.items], turn: input.turnCount + 1, env, logger };
    for await (const events of model.call(call, signal)) {
      finishReason = tell(events, answer, usage, calls) ?? finishReason;
      const wait = answer.ready();
      if (wait !== undefined) await wait;
    }
    answer.endMessage();
    if (calls.length === 0) return { usage: usage.total(), model: model.nameFor(env), finishReason };
    // Nobody would read the results: better not to have the effects.
    if (turn < maxTurns) await runTools(calls, tools, context, answer);
  }
  throw new AppError('MAX_TURNS', { message: `The agent had no answer after ${maxTurns} ${maxTurns === 1 ? 'turn' : 'turns'}.` });
}

/** Passes one chunk's events on. Synchronous: this runs for every token. Returns the finish reason once the call has ended. */
function tell(events: readonly ModelEvent[], answer: Answer, usage: UsageMeter, calls: ToolCall[]): string | null {
  let finishReason: string | null = null;
  for (const event of events) {
    switch (event.type) {
      case 'text':
        answer.text(event.text);
        break;
      case 'message_end':
        answer.endMessage();
        break;
      case 'reasoning':
        answer.reasoning(event.text);
        break;
      case 'tool_call':
        answer.endMessage();
        answer.toolCall(event.id, event.name, event.argumentsJson);
        calls.push(event);
        break;
      case 'end':
        usage.callEnded(event.usage);
        finishReason = event.finishReason;
        break;
      default:
        event satisfies never;
    }
  }
  return finishReason;
}
