// What `serve` and `check` begin with: finds the agent's file, reads the environment, and makes the configuration of both.
import { resolve } from 'node:path';
import { isatty } from 'node:tty';
import { parseConfig, type ServeFlags } from '../shared/config.ts';
import { findAgentFile } from '../supervisor/agent_file.ts';
import type { Release } from '../supervisor/release.ts';
import { type Environment, readEnvironment, workerEnvironment } from './environment.ts';
import { readMachine } from './machine.ts';

export interface Prepared extends Release {
  readonly environment: Environment;
}

/**
 * Resolves an agent's name or path, and the options, against the files and variables there are.
 * @throws UnknownAgentError, EnvironmentFileError, ConfigError
 */
export async function prepare(nameOrPath: string, flags: ServeFlags): Promise<Prepared> {
  // Not from `.env`, which is itself looked for there.
  const configRoot = resolve(flags.configRoot || process.env['CONFIG_ROOT'] || '.');
  const agent = await findAgentFile(configRoot, nameOrPath);
  const environment = await readEnvironment(configRoot, process.env);
  const rooted = flags.configRoot === '' ? flags : { ...flags, configRoot };
  const config = parseConfig(agent.name, agent.name, rooted, environment.values, readMachine(), isatty(2));
  return {
    config,
    agentFile: agent.file,
    environment,
    workerEnv: workerEnvironment(environment.values),
    nodeOptions: process.env['NODE_OPTIONS'] ?? '',
    variables: environment.values,
  };
}
