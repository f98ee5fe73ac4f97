// Runs an agent that is code of its own: an async generator, whose yields become the answer.
import type { Origin } from '../../../shared/agent/origin.ts';
import { generatorSchema, type GeneratorDefinition } from '../../../shared/agent/schema.ts';
import { validate } from '../../../shared/agent/validate.ts';
import { AppError } from '../../../shared/errors.ts';
import { scrub, secretsOf } from '../engine/scrub.ts';
import type { AgentContext, AgentInput, Answer, AnswerEnd, LoadedAgent } from './agent.ts';
import { parseEnvironment } from './variables.ts';
import { createYields } from './yields.ts';

/** Longest message of an error that is passed on to a client. */
const LONGEST_MESSAGE = 200;

/** @throws AgentLoadError */
export function loadGenerator(definition: { readonly chat?: unknown }, name: string, origin: Origin): LoadedAgent {
  // `chat` by name: of an instance of a class it is no key of its own.
  const valid = validate(generatorSchema, { ...definition, chat: definition.chat }, origin);
  // The object itself answers, so that `this` in its chat is what its author expects.
  const chat: GeneratorDefinition['chat'] = (input, context) => valid.chat.call(definition, input, context);
  return {
    facts: {
      name: valid.name ?? name,
      description: valid.description,
      framework: 'generator',
      model: null,
      tools: [],
      mcps: [],
      agents: [],
      prompts: valid.prompts,
      requestEnv: valid.request_env,
      allowReinitialize: valid.allow_reinitialize,
      smokeTest: valid.smoke_test ?? null,
      maxItems: 200,
      port: valid.port,
      tags: valid.tags,
      maxTurns: 1,
      warnings: [],
    },
    environment: parseEnvironment(valid.environment),
    modelFor: () => null,
    async run(input, context, answer) {
      try {
        return await runChat(chat, input, context, answer);
      } catch (error) {
        if (error instanceof AppError || context.signal.aborted) throw error;
        const message = publicMessage(error, secretsOf(context.env, valid.request_env));
        throw new AppError('AGENT_FAILED', message === null ? {} : { message }, { cause: error });
      }
    },
    close: async () => {},
  };
}

/** Takes yields until the generator is done or the interaction is aborted; a generator that takes no notice of that is left behind. */
async function runChat(chat: GeneratorDefinition['chat'], input: AgentInput, context: AgentContext, answer: Answer): Promise<AnswerEnd> {
  const { signal } = context;
  signal.throwIfAborted();
  const iterator = iteratorOf(chat(input, context));
  const yields = createYields(answer);
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  const take = async (): Promise<AnswerEnd> => {
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
      signal.throwIfAborted();
      yields.take(next.value);
      const wait = answer.ready();
      if (wait !== undefined) await wait;
    }
    signal.throwIfAborted();
    return yields.end();
  };
  try {
    const taken = take();
    answer.follow(taken);
    // One race for the whole run: a race per yield would leave a reaction on `aborted` each time.
    return await Promise.race([taken, aborted]);
  } catch (error) {
    // Not awaited: while the generator waits for something of its own, its return waits behind that.
    const returned = (async () => iterator.return?.())();
    answer.follow(returned);
    returned.catch((late: unknown) => context.logger.warn(`the agent failed while it was stopped: ${String(late)}`));
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function iteratorOf(returned: unknown): AsyncIterator<unknown> {
  if (typeof returned === 'object' && returned !== null && Symbol.asyncIterator in returned && typeof returned[Symbol.asyncIterator] === 'function') {
    return (returned as AsyncIterable<unknown>)[Symbol.asyncIterator]();
  }
  throw new AppError('AGENT_FAILED', { message: 'The agent\'s chat is no async generator: expected async *chat(input, context).' });
}

/** An error's own words, where they are short and name neither a path nor an address; null where a client had better not see them. */
function publicMessage(error: unknown, secrets: readonly string[]): string | null {
  const message = error instanceof Error ? error.message : '';
  if (message === '' || message.length > LONGEST_MESSAGE || /[\n\\]|\/\S|\S\//.test(message)) return null;
  return scrub(message, secrets, LONGEST_MESSAGE);
}
