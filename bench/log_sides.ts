// The servers that a bench of the log compares: one that does not log, and one for each database.
import type { PostgresServer } from '../test/helpers/postgres_server.ts';
import type { Pace } from './apis.ts';
import { startOursWith, type Contestant } from './contestants.ts';
import type { Bench } from './pair.ts';

/** Of what a server without a log does in the same time. */
export const LEAST_RATE = 0.95;
export const POSTGRES = 'PostgreSQL';

/** A server by where it logs to. */
export interface LoggingSide extends Contestant {
  readonly name: string;
}

/** @param postgres null: none with it @returns the first one does not log */
export async function startLogging(
  { plan, model }: Bench,
  pace: Pace,
  postgres: PostgresServer | null,
  servers: AsyncDisposableStack,
): Promise<readonly LoggingSide[]> {
  const enabled = plan.selfCheck ? {} : { DB_LOGGING_ENABLED: 'true' };
  const kinds = [
    { name: 'off', env: {} },
    { name: 'embedded', env: enabled },
    ...(postgres === null ? [] : [{ name: POSTGRES, env: plan.selfCheck ? {} : { ...enabled, LOGGING_DB_URL: postgres.url } }]),
  ];
  const setting = { modelPort: model.port, api: 'chat_completions', pace, workers: plan.workers } as const;
  const sides: LoggingSide[] = [];
  for (const { name, env } of kinds) sides.push({ name, ...(await startOursWith(env, setting, servers)) });
  return sides;
}
