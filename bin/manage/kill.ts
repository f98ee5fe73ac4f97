// `kill`: ends a running server at once, by the route or, where that does not do it, by signals, and waits until it is gone.
import { setTimeout as sleep } from 'node:timers/promises';
import { killedSchema, statusSchema } from '../../supervisor/routes/schemas.ts';
import { CommandError } from '../failure.ts';
import type { FoundServer } from './find_server.ts';
import { ask, NoConnection, Refused, understood } from './request.ts';
import type { ServerProcess } from './server_process.ts';

/** For the answer of a server on this machine, whose signals are the other way. */
const LOCAL_TIMEOUT_MS = 1000;
const REMOTE_TIMEOUT_MS = 10_000;
/** A server that has been told to end is gone within a second; a machine that is busy may take longer. */
const GRACE_MS = 3000;
const LAST_GRACE_MS = 5000;
const POLL_MS = 100;
/** Of the uptime that a server tells, in whole seconds. */
const ROUNDING_MS = 500;
/** What a proxy says whose server is gone. */
const NO_SERVER_BEHIND: readonly number[] = [502, 503, 504];

/** @throws CommandError where it is not gone for certain */
export async function kill(server: FoundServer, print: (line: string) => void): Promise<void> {
  const began = performance.now();
  const took = (): string => `after ${Math.round(performance.now() - began)} ms`;
  if (server.process !== null) {
    const means = await localEnd(server, server.process);
    print(`the server at ${server.url} (pid ${server.process.pid}) is gone ${took()}: ${means}`);
    return;
  }
  const { agent } = understood(server, killedSchema, await ask(server, 'POST', '/kill', REMOTE_TIMEOUT_MS));
  const isReplaced = await remoteEnd(server);
  print(`${agent} at ${server.url} is gone ${took()}: POST /kill${isReplaced ? '; another serves in its place' : ''}`);
}

/** @returns what did it */
async function localEnd(server: FoundServer, process: ServerProcess): Promise<string> {
  const refusal = await ask(server, 'POST', '/kill', LOCAL_TIMEOUT_MS).then(() => null, (error: Error) => error.message);
  if (refusal === null && (await process.isGoneIn(GRACE_MS))) return 'POST /kill';
  const why = refusal ?? `POST /kill has not ended it within ${GRACE_MS / 1000} s`;
  process.signal('SIGQUIT');
  if (await process.isGoneIn(GRACE_MS)) return `SIGQUIT, as ${why}`;
  process.signal('SIGKILL');
  if (await process.isGoneIn(LAST_GRACE_MS)) return `SIGKILL, as ${why}, and SIGQUIT has not ended it within ${GRACE_MS / 1000} s`;
  throw new CommandError(`process ${process.pid} is still there ${LAST_GRACE_MS / 1000} s after SIGKILL`);
}

/** @returns whether another has come in its place, which is known by its uptime @throws CommandError where it goes on answering */
async function remoteEnd(server: FoundServer): Promise<boolean> {
  const toldAt = performance.now();
  while (performance.now() - toldAt < LAST_GRACE_MS) {
    try {
      const { uptime } = understood(server, statusSchema, await ask(server, 'GET', '/status', LOCAL_TIMEOUT_MS));
      if (uptime * 1000 + ROUNDING_MS < performance.now() - toldAt) return true;
    } catch (error) {
      if (error instanceof NoConnection || (error instanceof Refused && NO_SERVER_BEHIND.includes(error.status))) return false;
    }
    await sleep(POLL_MS);
  }
  throw new CommandError(`${server.url} was told to end, and still answers ${LAST_GRACE_MS / 1000} s later: there may be several servers behind it`);
}
