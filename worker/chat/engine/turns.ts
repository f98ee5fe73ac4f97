// The loop of a declarative agent: the model speaks, its tools run, it reads their results and speaks again, or hands over to another agent.
import type { ModelItem, UploadedFile } from '../../../shared/chat.ts';
import { AppError } from '../../../shared/errors.ts';
import type { AgentContext, AgentInput, Answer, AnswerEnd } from '../agents/agent.ts';
import type { ModelEvent } from './model.ts';
import { runTools, type ToolCall } from './tools.ts';
import type { AgentRun, Toolbox, TurnAgent } from './turn_agent.ts';
import { userItem } from './user_content.ts';

export interface TurnsInput extends AgentInput {
  /** Those that the model is shown. */
  readonly files: readonly UploadedFile[];
}

/**
 * Answers one interaction.
 * @param agent who speaks first
 * @param maxTurns most model calls, those of whom it hands over to included
 * @throws AppError MODEL_FAILED, MODEL_AUTH_FAILED, MAX_TURNS, OUTPUT_INVALID, AGENT_FAILED; after an abort, the signal's reason
 */
export async function runTurns(agent: TurnAgent, maxTurns: number, input: TurnsInput, run: AgentRun): Promise<AnswerEnd> {
  const boxes = new Map<TurnAgent, Toolbox>();
  const toolsOf = async (of: TurnAgent): Promise<Toolbox> => {
    const box = boxes.get(of) ?? (await of.openTools(run));
    boxes.set(of, box);
    return box;
  };
  try {
    return await takeTurns(agent, maxTurns, input, run, toolsOf);
  } finally {
    // Not awaited: the answer does not wait for connections to close.
    for (const box of boxes.values()) void box.close();
  }
}

async function takeTurns(
  first: TurnAgent,
  maxTurns: number,
  input: TurnsInput,
  { context, answer, usage }: AgentRun,
  toolsOf: (agent: TurnAgent) => Promise<Toolbox>,
): Promise<AnswerEnd> {
  const { env, logger, signal } = context;
  const conversation = createConversation(input.history, await userItem(input.message, input.files), answer);
  let agent = first;
  let limit = maxTurns;
  for (let turn = 1; turn <= limit; turn += 1) {
    const { specs, tools } = await toolsOf(agent);
    const name = agent.model.nameFor(env);
    const by = { agent: agent.name, model: name };
    const calls: ToolCall[] = [];
    let finishReason = 'stop';
    usage.callStarted();
    const call = { instructions: agent.instructions(env), items: conversation.items(), tools: specs, turn: input.turnCount + 1, env, logger };
    for await (const events of agent.model.call(call, signal)) {
      finishReason = tell(events, answer, (used) => usage.callEnded(used, by), calls) ?? finishReason;
      const wait = answer.ready();
      if (wait !== undefined) await wait;
    }
    answer.endMessage();
    if (calls.length === 0) {
      const isCut = finishReason === 'length';
      const problem = agent.output === null ? null : isCut ? 'it was cut at its limit of tokens' : agent.output.problemOf(conversation.lastText());
      if (problem === null) return { usage: usage.total(), model: name, finishReason };
      // What was cut once would be cut again.
      if (isCut || limit > maxTurns) throw new AppError('OUTPUT_INVALID', { message: `The answer does not fit the agent's output_schema: ${problem}.` });
      // One turn more than it has, once, to say it again.
      limit = Math.max(limit, turn) + 1;
      conversation.note(`Your answer does not fit the schema: ${problem}. Answer again, with JSON that fits it and nothing else.`);
    } else if (turn < limit) {
      // Else nobody would read the results: better not to have the effects.
      agent = await runCalls(agent, calls, tools, context, answer);
    }
  }
  throw new AppError('MAX_TURNS', { message: `The agent had no answer after ${maxTurns} ${maxTurns === 1 ? 'turn' : 'turns'}.` });
}

/** Runs one turn's calls. @returns who speaks next */
async function runCalls(
  agent: TurnAgent,
  calls: readonly ToolCall[],
  tools: Toolbox['tools'],
  context: AgentContext,
  answer: Answer,
): Promise<TurnAgent> {
  const own = calls.filter(({ name }) => !agent.handoffs.has(name));
  await runTools(own, tools, context, answer);
  let next = agent;
  for (const { id, name } of calls) {
    const to = agent.handoffs.get(name);
    if (to === undefined) continue;
    if (next === agent) {
      answer.toolResult(id, name, JSON.stringify({ assistant: to.name }), false, 0);
      answer.handoff(agent.name, to.name);
      next = to;
    } else {
      answer.toolResult(id, name, `The conversation has been handed over to ${next.name} already.`, true, 0);
    }
  }
  return next;
}

interface Conversation {
  /** What the model is sent: the history, the user's message with its files, the turn so far. */
  items(): readonly ModelItem[];
  /** Tells the model something that neither the reader nor the session sees, at this place of the turn. */
  note(text: string): void;
  /** The agent's last message, if it is the last that happened. */
  lastText(): string;
}

function createConversation(history: readonly ModelItem[], user: ModelItem, answer: Answer): Conversation {
  let note: { readonly at: number; readonly item: ModelItem } | undefined;
  return {
    items() {
      const turn: ModelItem[] = answer.items.slice(1);
      if (note !== undefined) turn.splice(note.at - 1, 0, note.item);
      return [...history, user, ...turn];
    },
    note(text) {
      note = { at: answer.items.length, item: { type: 'message', role: 'user', content: text } };
    },
    lastText() {
      const last = answer.items.at(-1);
      return last?.type === 'message' && last.role === 'assistant' ? last.content.map((part) => part.text).join('') : '';
    },
  };
}

/** Passes one chunk's events on. Synchronous: this runs for every token. Returns the finish reason once the call has ended. */
function tell(
  events: readonly ModelEvent[],
  answer: Answer,
  callEnded: (usage: Extract<ModelEvent, { type: 'end' }>['usage']) => void,
  calls: ToolCall[],
): string | null {
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
        callEnded(event.usage);
        finishReason = event.finishReason;
        break;
      default:
        event satisfies never;
    }
  }
  return finishReason;
}
