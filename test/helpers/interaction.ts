// What an agent is given for one interaction, without the worker around it.
import { join } from 'node:path';
import { readFile } from 'node:fs/promises';
import { readDefinition } from '../../shared/agent/definition.ts';
import { isDefinitionFile } from '../../shared/agent/places.ts';
import type { SessionItem } from '../../shared/chat.ts';
import type { AgentContext, AnswerEnd, LoadedAgent, LoadOptions } from '../../worker/chat/agents/agent.ts';
import { loadAgent } from '../../worker/chat/agents/load.ts';
import { createUsageMeter } from '../../worker/chat/engine/usage.ts';
import { PROJECT } from './process.ts';
import { recordAnswer, type RecordingAnswer } from './recording_answer.ts';

export interface TestContext extends AgentContext {
  /** Lines that were logged, each with its level. */
  readonly logged: string[];
}

export function makeContext(overrides: Partial<AgentContext> = {}): TestContext {
  const logged: string[] = [];
  const log = (level: string) => (message: string) => void logged.push(`${level} ${message}`);
  return {
    agentName: 'test',
    interactionId: '00000000-0000-4000-8000-000000000000',
    sessionId: 'session',
    userId: 'user',
    history: [],
    files: [],
    env: {},
    signal: new AbortController().signal,
    logger: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
    ...overrides,
    logged,
  };
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly history?: readonly SessionItem[];
  readonly turnCount?: number;
  readonly signal?: AbortSignal;
}

export interface Finished {
  readonly end: AnswerEnd;
  readonly answer: RecordingAnswer;
  readonly context: TestContext;
}

/** Runs one interaction of an agent; rejects as the agent does. */
export async function runAgent(agent: LoadedAgent, message: string, options: RunOptions = {}): Promise<Finished> {
  const answer = recordAnswer(message);
  const history = options.history ?? [];
  const env = { ...agent.environment, ...options.env };
  const context = makeContext({ env, history, ...(options.signal === undefined ? {} : { signal: options.signal }) });
  const end = await agent.run({ message, history, turnCount: options.turnCount ?? 0 }, context, answer, createUsageMeter());
  answer.endMessage();
  return { end, answer, context };
}

export function loadOptions(baseEnv: Readonly<Record<string, string>> = {}): LoadOptions {
  return { temperature: null, maxTokens: null, concurrency: 64, baseEnv, usedDefinitions: {}, configRoot: join(PROJECT, 'test/fixtures'), reportMcps: () => undefined };
}

/** The agent of a file, read as the supervisor would and loaded as a worker would. */
export async function loadFile(file: string, options: LoadOptions): Promise<LoadedAgent> {
  const definition = isDefinitionFile(file) ? readDefinition(await readFile(file, 'utf8'), file) : null;
  return loadAgent(file, definition, 'asked', options);
}
