// The declarative agent run by our engine without the worker around it: loaded as a worker loads it, its answer only collected.
import { readDefinition } from '../../shared/agent/definition.ts';
import type { AgentContext, Answer } from '../../worker/chat/agents/agent.ts';
import { loadAgent } from '../../worker/chat/agents/load.ts';
import { createUsageMeter } from '../../worker/chat/engine/usage.ts';
import { AGENT, agentFile } from '../agent_file.ts';
import { QUESTION } from '../answer.ts';
import type { Api } from '../apis.ts';
import type { Ask } from '../load/loop.ts';
import { deviationOf } from './whole.ts';

/** A worker's default: model calls at once. */
const CONCURRENCY = 256;

export async function createDeclarativeAsk(modelUrl: string, api: Api): Promise<Ask> {
  const file = `/${AGENT}.yaml`;
  const env = { OPENAI_API_KEY: process.env['OPENAI_API_KEY'] ?? '' };
  const agent = await loadAgent(file, readDefinition(agentFile(modelUrl, api), file), AGENT, {
    temperature: null,
    maxTokens: null,
    concurrency: CONCURRENCY,
    baseEnv: env,
    usedDefinitions: {},
    configRoot: '/',
    reportMcps: ignore,
  });
  return async () => {
    const { answer, pieces } = collectAnswer();
    const input = { message: QUESTION, history: [], turnCount: 0 };
    const { usage } = await agent.run(input, createContext(env), answer, createUsageMeter());
    return deviationOf(pieces, pieces.join(''), usage?.total_tokens);
  };
}

/** Keeps the pieces of the one message that the model answers with; anything else would be missed in them. */
function collectAnswer(): { readonly answer: Answer; readonly pieces: readonly string[] } {
  const pieces: string[] = [];
  const answer: Answer = {
    items: [{ type: 'message', role: 'user', content: QUESTION }],
    text: (piece) => void pieces.push(piece),
    endMessage: ignore,
    reasoning: ignore,
    toolCall: ignore,
    toolResult: ignore,
    handoff: ignore,
    active: ignore,
    ready: ignore,
    follow: ignore,
  };
  return { answer, pieces };
}

function createContext(env: Readonly<Record<string, string>>): AgentContext {
  return {
    agentName: AGENT,
    interactionId: 'bench',
    sessionId: 'bench',
    userId: 'bench',
    history: [],
    files: [],
    env,
    signal: new AbortController().signal,
    logger: { debug: ignore, info: ignore, warn: ignore, error: ignore },
  };
}

function ignore(): undefined {}
