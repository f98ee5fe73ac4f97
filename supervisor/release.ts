// What a start or a reload has read: the configuration, the agent's file and the environment of one version of the agent.
import type { Config } from '../shared/config.ts';

export interface Release {
  readonly config: Config;
  /** Absolute path. */
  readonly agentFile: string;
  /** What `process.env` is in the workers outside of any interaction. */
  readonly workerEnv: Readonly<Record<string, string>>;
  /** NODE_OPTIONS of this process, for one that is to load modules as it does. */
  readonly nodeOptions: string;
  /** The variables that it was made of, `.env` included. */
  readonly variables: Readonly<Record<string, string>>;
}
