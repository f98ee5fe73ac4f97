// A PostgreSQL of the bench's own, with its default settings, and the CPU time of its processes.
import { startPostgres, type PostgresServer } from '../test/helpers/postgres_server.ts';
import { descendantsOf } from '../test/helpers/processes.ts';
import { cpuSeconds } from './proc.ts';

/**
 * Starts one that ends with the stack.
 * @returns why not, where there is none on this machine or it does not start
 */
export async function postgresOf(stack: AsyncDisposableStack): Promise<PostgresServer | string> {
  try {
    // A test needs no disk behind its commits; what is measured does.
    const postgres = await startPostgres({ settings: { fsync: 'on' } });
    stack.defer(() => postgres.stop());
    return postgres;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** CPU seconds of its processes, as far as they live: connections of servers do as long as these. */
export function postgresCpuSeconds({ pid }: PostgresServer): number {
  return [pid, ...descendantsOf(pid)].reduce((sum, each) => {
    try {
      return sum + cpuSeconds(each);
    } catch {
      // It has ended meanwhile.
      return sum;
    }
  }, 0);
}
