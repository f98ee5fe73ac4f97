// `serve`: runs one agent's server until a signal ends it.
import { isatty } from 'node:tty';
import type { ServeFlags } from '../shared/config.ts';
import { type RunningServer, start } from '../supervisor/index.ts';
import { endNow } from './hard_end.ts';
import { prepare } from './prepare.ts';
import { followSignals } from './signals.ts';

/** Serves the agent until it is told to stop, then ends the process with 0. Throws what keeps it from starting. */
export async function serve(nameOrPath: string, flags: ServeFlags): Promise<never> {
  const ending = Promise.withResolvers<string>();
  let running: RunningServer | null = null;
  followSignals(ending.resolve, () => {
    running?.stopNow();
    endNow(0);
  });
  const { config, agentFile, workerEnv } = await prepare(nameOrPath, flags);
  const starting = start({ config, agentFile, workerEnv, isTerminal: isatty(1) });
  const first = await Promise.race([starting, ending.promise]);
  if (typeof first === 'string') endNow(0);
  running = first;
  const { agent, url, workers, generation } = running;
  const lines = [...running.notices, `oai-agent-server: ${agent} ready on ${url} (${workers} workers, generation ${generation})`];
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));

  const reason = await Promise.race([ending.promise, running.stopped.then(() => null)]);
  if (reason !== null) await running.stop(reason);
  endNow(0);
}
