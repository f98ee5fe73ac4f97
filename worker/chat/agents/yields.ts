// What a generator may yield, and what each becomes in the answer.
import { z } from 'zod';
import { AppError } from '../../../shared/errors.ts';
import type { Answer, AnswerEnd } from './agent.ts';

const count = z.int().nonnegative();
const message = z.int().positive().optional();

const output = z.object({
  type: z.literal('output'),
  content: z.string().optional(),
  token_usage: z.object({ input_tokens: count, output_tokens: count, total_tokens: count, partial: z.literal(true).optional() }).nullish(),
  model: z.object({ model_id: z.string(), provider: z.string() }).nullish(),
  finish_reason: z.string().optional(),
});

const yielded = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text'), content: z.string(), message }),
  z.object({ type: z.literal('reasoning'), content: z.string(), message }),
  z.object({ type: z.literal('tool_call'), id: z.string().min(1), name: z.string().min(1), arguments: z.unknown() }),
  z.object({
    type: z.literal('tool_result'),
    id: z.string(),
    content: z.string(),
    is_error: z.boolean().default(false),
    duration_ms: z.number().nonnegative().optional(),
  }),
  z.object({ type: z.literal('handoff'), from: z.string(), to: z.string() }),
  output,
]);

type Yielded = z.output<typeof yielded>;

interface Yields {
  /** @throws AppError AGENT_FAILED with a sentence that says what was yielded */
  take(value: unknown): void;
  /** The generator is done. */
  end(): AnswerEnd;
}

export function createYields(answer: Answer): Yields {
  /** The pieces of the last message so far. */
  let text = '';
  let number: number | undefined;
  let interrupted = false;
  let last: z.output<typeof output> | null = null;
  const calls = new Map<string, { readonly name: string; readonly startedAt: number }>();

  const beginMessage = (): void => {
    answer.endMessage();
    text = '';
    interrupted = false;
  };

  const takeText = (piece: string, of: number | undefined): void => {
    if (piece === '') return;
    if (interrupted || (of !== undefined && number !== undefined && of !== number)) beginMessage();
    number = of ?? number;
    text += piece;
    answer.text(piece);
  };

  /**
   * The content that the agent names is the last message, byte for byte: where its pieces were others, it follows them as a message of its own.
   * An empty one is no message.
   */
  const takeOutput = (event: z.output<typeof output>): void => {
    last = event;
    if (event.content === undefined || event.content === '' || event.content === text) return;
    if (text !== '') beginMessage();
    answer.text(event.content);
  };

  const takeEvent = (event: Yielded): void => {
    switch (event.type) {
      case 'text':
        return takeText(event.content, event.message);
      case 'reasoning':
        return answer.reasoning(event.content);
      case 'tool_call':
        interrupted = true;
        calls.set(event.id, { name: event.name, startedAt: performance.now() });
        return answer.toolCall(event.id, event.name, argumentsJson(event.arguments));
      case 'tool_result': {
        const call = calls.get(event.id);
        if (call === undefined) throw wrong('a tool_result whose id no tool_call had');
        interrupted = true;
        calls.delete(event.id);
        return answer.toolResult(event.id, call.name, event.content, event.is_error, event.duration_ms ?? performance.now() - call.startedAt);
      }
      case 'handoff':
        interrupted = true;
        return answer.handoff(event.from, event.to);
      case 'output':
        return takeOutput(event);
      default:
        event satisfies never;
    }
  };

  return {
    take(value) {
      if (last !== null) throw wrong(`${describe(value)} after its output, which must be the last`);
      // The common case, without a schema: this runs for every token.
      if (typeof value === 'string') return takeText(value, undefined);
      const event = yielded.safeParse(value);
      if (!event.success) throw wrong(`${describe(value)}${problemOf(event.error)}`);
      takeEvent(event.data);
    },
    end: () => ({ usage: usageOf(last), model: last?.model ?? null, finishReason: last?.finish_reason ?? 'stop' }),
  };
}

function usageOf(event: z.output<typeof output> | null): AnswerEnd['usage'] {
  if (!event?.token_usage) return null;
  const { partial, ...usage } = event.token_usage;
  return partial === true ? { ...usage, partial } : usage;
}

/** As a JSON text, which arguments may be already. */
function argumentsJson(given: unknown): string {
  if (typeof given === 'string') return given;
  try {
    return JSON.stringify(given) ?? '{}';
  } catch {
    throw wrong('a tool_call whose arguments cannot be written as JSON');
  }
}

function wrong(what: string): AppError {
  return new AppError('AGENT_FAILED', { message: `The agent yielded ${what}.` });
}

/** Names the kind of a value, not the value, which may hold anything. */
function describe(value: unknown): string {
  if (value === null || typeof value !== 'object') return value === undefined || value === null ? String(value) : `a ${typeof value}`;
  const type: unknown = 'type' in value ? value.type : undefined;
  return typeof type === 'string' ? `an event of type ${JSON.stringify(type.slice(0, 40))}` : 'an object without a type';
}

function problemOf(error: z.ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined || issue.path.length === 0 || issue.code === 'invalid_union') {
    return ', which is no event: expected text, reasoning, tool_call, tool_result, handoff or output';
  }
  return ` whose ${issue.path.join('.')} is not valid`;
}
