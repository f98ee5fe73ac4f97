// Makes a generation of workers from the agent's file.
import { resolve } from 'node:path';
import { toLoadFailure, type LoadFailure } from '../../shared/agent/load_error.ts';
import type { Logger } from '../log.ts';
import { createRedaction } from '../logs/redaction.ts';
import type { Release } from '../release.ts';
import { StartError } from '../start_error.ts';
import { BootError } from './boot_error.ts';
import { Generation } from './generation.ts';
import { readDefinitions, type ReadDefinitions } from './read_definitions.ts';
import type { GenerationSettings } from './thread.ts';
import type { Tried } from './trial.ts';

const withoutTokens = createRedaction([]);

export interface BootOptions {
  readonly release: Release;
  readonly settings: GenerationSettings;
  readonly number: number;
  readonly workers: number;
  readonly log: Logger;
  /** Told whenever a worker may have become free. */
  onCapacity(): void;
}

/** Reads the agent's file. @throws StartError with exit code 78 when it cannot be read, or is not valid */
export async function readSettings({ config, agentFile, workerEnv }: Release): Promise<GenerationSettings> {
  const configRoot = resolve(config.configRoot);
  const { definition, usedDefinitions } = await readAgent(agentFile, configRoot);
  return {
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
    tellsFiles: config.watch,
  };
}

/** Its workers are started by `startGeneration`. */
export function makeGeneration({ release, settings, number, workers, log, onCapacity }: BootOptions): Generation {
  return new Generation({
    number,
    workers,
    settings,
    bootTimeoutMs: release.config.bootTimeoutMs,
    log,
    onCapacity,
    // An agent, or its model, may quote the message of a caller who put a token in it.
    agentLog: (slot, interactionId, level, text) =>
      log[level]({ worker: slot.id, interaction_id: interactionId ?? undefined, source: 'agent' }, withoutTokens(text)),
  });
}

/** Logs what the agent said in the process that tried it, as what it says in a worker. */
export function logTried(said: Tried['said'], log: Logger): void {
  for (const { level, text } of said) log[level]({ source: 'agent' }, withoutTokens(text));
}

/** Resolves when every worker has loaded the agent. @throws StartError with exit code 78, and then no worker is left */
export async function startGeneration(generation: Generation): Promise<void> {
  try {
    await generation.start();
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

/** Why a version did not load, as it is told. */
export function loadFailed({ message, file, line }: LoadFailure): StartError {
  const where = file === null ? '' : line === null ? `${file}: ` : `${file}:${line}: `;
  return new StartError(78, `${where}${message}`, file);
}
