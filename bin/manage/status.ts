// `status`: how a running server is, as a table or as it says it.
import { statusSchema } from '../../supervisor/routes/schemas.ts';
import { CommandError } from '../failure.ts';
import type { FoundServer } from './find_server.ts';
import { ask, Refused, understood } from './request.ts';
import { statusTable, type Status } from './status_table.ts';

const TIMEOUT_MS = 10_000;

/**
 * Prints it on stdout in any case.
 * @throws CommandError where it cannot be asked, or takes no work
 */
export async function status(server: FoundServer, asJson: boolean, print: (line: string) => void): Promise<void> {
  const text = await askStatus(server);
  const state = understood(server, statusSchema, text);
  for (const line of asJson ? [text] : statusTable(server.url, state)) print(line);
  const reason = whyNotReady(state);
  if (reason !== null) throw new CommandError(`${server.url} is not ready: ${reason}`);
}

/** A token that the server does not know must not keep out whom it would let in without one. */
async function askStatus(server: FoundServer): Promise<string> {
  try {
    return await ask(server, 'GET', '/status', TIMEOUT_MS);
  } catch (error) {
    if (!(error instanceof Refused) || error.status !== 401 || server.token === null) throw error;
    return ask({ ...server, token: null }, 'GET', '/status', TIMEOUT_MS);
  }
}

/** As /ready has it: without its store or log it is degraded, and takes work. */
function whyNotReady({ is_shutting_down: isStopping, workers, generation }: Status): string | null {
  if (isStopping) return 'it is being stopped';
  const serving = workers.filter((worker) => worker.generation === generation);
  return serving.some(({ state }) => state === 'ready' || state === 'suspect') ? null : 'none of its workers is ready';
}
