// An agent that another uses as a tool: it answers in a conversation of its own, of which only the last message comes back.
import { MAX_ANSWER_LENGTH, type SessionItem } from '../../../shared/chat.ts';
import { AppError } from '../../../shared/errors.ts';
import type { Answer } from '../agents/agent.ts';
import type { ToolSpec } from './model.ts';
import type { Tool } from './tools.ts';
import type { AgentRun, TurnAgent } from './turn_agent.ts';
import { runTurns } from './turns.ts';

/** The longest that a timer takes (2^31 − 1 ms): the interaction's own time is the limit. */
const NO_TIMEOUT_MS = 2_147_483_647;

const PARAMETERS = {
  type: 'object',
  properties: { input: { type: 'string', description: 'What to do, with all that has to be known for it: it does not see the conversation.' } },
  required: ['input'],
  additionalProperties: false,
} as const;

export function agentToolSpec(name: string, description: string): ToolSpec {
  return { name, description, parameters: PARAMETERS };
}

/** @param maxTurns the used agent's own, for each time it is used */
export function agentTool(spec: ToolSpec, agent: TurnAgent, maxTurns: number): (run: AgentRun) => Tool {
  return (run) => ({
    ...spec,
    timeoutMs: NO_TIMEOUT_MS,
    validate(args) {
      if (typeof args === 'object' && args !== null && 'input' in args && typeof args.input === 'string' && args.input !== '') return args.input;
      throw new Error('The arguments are not valid: input: expected a text that is not empty.');
    },
    async execute(message, context) {
      const answer = createInnerAnswer(String(message), run.answer);
      await runTurns(agent, maxTurns, { message: String(message), history: [], turnCount: 0, files: [] }, { context, answer, usage: run.usage });
      return answer.lastMessage();
    },
  });
}

interface InnerAnswer extends Answer {
  lastMessage(): string;
}

/** Keeps what the used agent needs to go on. Its reader is the other agent, who waits for the end; the outer answer is only told that something happens. */
function createInnerAnswer(message: string, outer: Answer): InnerAnswer {
  const items: SessionItem[] = [{ type: 'message', role: 'user', content: message }];
  let text = '';
  let last = '';
  let length = 0;
  const grow = (by: number): void => {
    length += by;
    if (length > MAX_ANSWER_LENGTH) throw new AppError('AGENT_FAILED', { message: 'An agent that was used as a tool said more than a session can hold.' });
    outer.active();
  };
  const endMessage = (): void => {
    if (text === '') return;
    items.push({ type: 'message', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: text.toWellFormed() }] });
    last = text.toWellFormed();
    text = '';
  };
  return {
    items,
    text(piece) {
      grow(piece.length);
      text += piece;
    },
    endMessage,
    reasoning: () => outer.active(),
    toolCall(callId, name, argumentsJson) {
      endMessage();
      grow(argumentsJson.length);
      items.push({ type: 'function_call', callId, name, arguments: argumentsJson, status: 'completed' });
    },
    toolResult(callId, name, given, _isError, _durationMs) {
      const content = given.toWellFormed();
      grow(content.length);
      items.push({ type: 'function_call_result', callId, name, status: 'completed', output: { type: 'text', text: content } });
    },
    handoff: () => outer.active(),
    active: () => outer.active(),
    follow: (code) => outer.follow(code),
    ready: () => undefined,
    lastMessage: () => last,
  };
}
