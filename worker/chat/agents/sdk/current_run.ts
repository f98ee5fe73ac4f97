// What belongs to one interaction while the SDK runs it: found by whatever its tools start, however deep.
import { AsyncLocalStorage } from 'node:async_hooks';
import type { ModelProvider } from '@openai/agents';
import type { AppError } from '../../../../shared/errors.ts';
import type { AgentContext, Answer, UsageMeter } from '../agent.ts';
import type { Sdk } from './package.ts';

export interface SdkRun {
  readonly context: AgentContext;
  readonly answer: Answer;
  readonly usage: UsageMeter;
  /** Values that must not come back in an error. */
  readonly secrets: readonly string[];
  /** Its own client of each copy of the SDK. */
  readonly providers: Map<Sdk, ModelProvider>;
  /** What errors of models mean, by the error: it comes out of the SDK wrapped, or not at all. */
  readonly modelErrors: WeakMap<object, AppError>;
  /** Of the command line; null leaves the agent's. */
  readonly temperature: number | null;
  readonly maxTokens: number | null;
  /** It has ended: what still runs of it is not heard any more. */
  over: boolean;
}

const runs = new AsyncLocalStorage<SdkRun>();

export function enterRun<T>(run: SdkRun, work: () => T): T {
  return runs.run(run, work);
}

/** The interaction that the calling code belongs to; undefined outside of any. */
export function currentRun(): SdkRun | undefined {
  return runs.getStore();
}
