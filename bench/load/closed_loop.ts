// Requests back to back on a number of connections, for a time: how many answers came whole.
import { createCheck } from './checks.ts';
import { openConnection, type Connection } from './connection.ts';
import { createDeviationLog } from './deviations.ts';
import type { ClosedLoopJob, ClosedLoopResult } from './jobs.ts';

/** Runs until `durationMs` is over and the answers then under way have ended; `elapsedMs` is until the last of them. */
export async function runClosedLoop({ target, concurrency, durationMs }: ClosedLoopJob): Promise<ClosedLoopResult> {
  const deviations = createDeviationLog();
  const open = () => openConnection(target, createCheck(target.kind, false, ignore));
  const connections = await Promise.all(Array.from({ length: concurrency }, open));
  const startedMs = performance.now();
  let completed = 0;

  const askAgain = async (first: Connection) => {
    let connection = first;
    while (performance.now() - startedMs < durationMs && !deviations.tooMany()) {
      if (!connection.isOpen()) connection = await open();
      const deviation = await connection.exchange();
      if (deviation === null) completed += 1;
      else deviations.add(deviation);
    }
    return connection;
  };
  const last = await Promise.all(connections.map(askAgain));
  const elapsedMs = performance.now() - startedMs;
  for (const connection of last) connection.close();
  return { completed, elapsedMs, deviations: deviations.result() };
}

function ignore(): void {}
