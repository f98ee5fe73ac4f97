// Requests back to back on a number of connections, for a time: how many answers came whole.
import { createCheck } from './checks.ts';
import { openConnection } from './connection.ts';
import type { ClosedLoopJob, ClosedLoopResult, Target } from './jobs.ts';
import { runLoop, type Ask } from './loop.ts';

export async function runClosedLoop({ target, concurrency, durationMs }: ClosedLoopJob): Promise<ClosedLoopResult> {
  const askers = await Promise.all(Array.from({ length: concurrency }, () => openAsker(target)));
  const result = await runLoop(
    askers.map(({ ask }) => ask),
    durationMs,
  );
  for (const asker of askers) asker.close();
  return result;
}

/** Asks on one connection, and on another when the server has closed it. */
async function openAsker(target: Target): Promise<{ readonly ask: Ask; readonly close: () => void }> {
  const open = () => openConnection(target, createCheck(target.kind, false, ignore));
  let connection = await open();
  const ask: Ask = async () => {
    if (!connection.isOpen()) connection = await open();
    return connection.exchange();
  };
  return { ask, close: () => connection.close() };
}

function ignore(): void {}
