// `serve`: runs one agent's server until a signal or its launcher ends it.
import { isatty } from 'node:tty';
import type { ServeFlags } from '../shared/config.ts';
import { type RunningServer, start } from '../supervisor/index.ts';
import { misspeltVariables } from './environment.ts';
import { endNow, endSoon } from './hard_end.ts';
import { LauncherLine } from './launcher_line.ts';
import { prepare } from './prepare.ts';
import { followSignals, leaveSignals, type Orders } from './signals.ts';

/** Serves the agent until it is told to stop, then ends the process with 0. Throws what keeps it from starting. */
export async function serve(nameOrPath: string, flags: ServeFlags): Promise<never> {
  const ending = Promise.withResolvers<string>();
  let running: RunningServer | null = null;
  let isKilled = false;
  const kill = (reason: string): void => {
    if (isKilled) return;
    isKilled = true;
    // What readers are told last is written to their connections before the event loop turns.
    setImmediate(() => endNow(0));
    running?.stopNow(reason);
  };
  let wanted: string | null = null;
  const reload = async (reason: string): Promise<void> => {
    if (running === null) {
      // What it starts with may have been read before.
      wanted = reason;
      return;
    }
    line?.tell({ type: 'reloading' });
    const error = await running.reload(reason);
    line?.tell({ type: 'reloaded', error });
  };
  const orders: Orders = { stop: ending.resolve, stopNow: kill, reload: (reason) => void reload(reason) };
  // False where there was a launcher, undefined where there was none.
  if (process.connected === false) endNow(0);
  const line = process.connected ? new LauncherLine(orders) : null;
  if (line === null) followSignals(orders);
  else leaveSignals(orders);

  const reread = () => prepare(nameOrPath, flags);
  const socket = line === null ? null : (host: string, port: number) => line.socket(host, port);
  // Whom signals are for.
  const pid = line === null ? process.pid : process.ppid;
  const prepared = await reread();
  const starting = start({ ...prepared, isTerminal: isatty(1), reread, kill, socket, pid });
  const first = await Promise.race([starting, ending.promise]);
  if (typeof first === 'string') endNow(0);
  running = first;
  line?.tell({ type: 'ready' });
  const { agent, url, workers, generation } = running;
  const misspelt = misspeltVariables(prepared.environment).map((warning) => `warning: ${warning}`);
  const lines = [...running.notices, ...misspelt, `oai-agent-server: ${agent} ready on ${url} (${workers} workers, generation ${generation})`];
  process.stdout.write(lines.map((text) => `${text}\n`).join(''));
  if (wanted !== null) void reload(wanted);

  const reason = await ending.promise;
  line?.tell({ type: 'stopping' });
  if (await running.stop(reason)) endSoon(0);
  endNow(0);
}
