// Boots the workers of a generation from the agent's file.
import { resolve } from 'node:path';
import { toLoadFailure, type LoadFailure } from '../../shared/agent/load_error.ts';
import type { Config } from '../../shared/config.ts';
import type { Logger } from '../log.ts';
import { StartError } from '../start_error.ts';
import { BootError } from './boot_error.ts';
import { Generation } from './generation.ts';
import { readDefinitions, type ReadDefinitions } from './read_definitions.ts';

export interface BootOptions {
  readonly config: Config;
  /** Absolute path. */
  readonly agentFile: string;
  /** What `process.env` is in the workers outside of any interaction. */
  readonly workerEnv: Readonly<Record<string, string>>;
}

/**
 * Reads the agent's file and starts its workers.
 * @param onCapacity told whenever a worker may have become free
 * @throws StartError with exit code 78 when the agent does not load
 */
export async function bootGeneration(options: BootOptions, workers: number, log: Logger, onCapacity: () => void): Promise<Generation> {
  const { config, agentFile, workerEnv } = options;
  const configRoot = resolve(config.configRoot);
  const { definition, usedDefinitions } = await readAgent(agentFile, configRoot);
  const generation = new Generation({
    number: 1,
    workers,
    settings: {
      agentFile,
      definition,
      usedDefinitions,
      configRoot,
      agentName: config.agent,
      baseEnv: workerEnv,
      temperature: config.temperature,
      maxTokens: config.maxTokens,
      concurrency: config.concurrency,
      heapMb: config.workerHeapMb,
    },
    bootTimeoutMs: config.bootTimeoutMs,
    log,
    onCapacity,
    agentLog: (slot, interactionId, level, text) => log[level]({ worker: slot.id, interaction_id: interactionId ?? undefined, source: 'agent' }, text),
  });
  try {
    await generation.start();
    return generation;
  } catch (error) {
    if (!(error instanceof BootError)) throw error;
    throw loadFailed(error.failure);
  }
}

async function readAgent(file: string, configRoot: string): Promise<ReadDefinitions> {
  try {
    return await readDefinitions(file, configRoot);
  } catch (error) {
    throw loadFailed(toLoadFailure(error));
  }
}

function loadFailed({ message, file, line }: LoadFailure): StartError {
  const where = file === null ? '' : line === null ? `${file}: ` : `${file}:${line}: `;
  return new StartError(78, `${where}${message}`);
}
