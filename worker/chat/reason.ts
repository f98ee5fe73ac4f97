// The whole story of something that was thrown, for the server's log only.
import { inspect } from 'node:util';

const MAX_CAUSES = 5;
const MAX_LENGTH = 16 * 1024;

/** Never throws, whatever was thrown: a value without a prototype, an error that is its own cause, a `stack` that throws. */
export function reasonOf(error: unknown): string {
  try {
    return tell(error, MAX_CAUSES).slice(0, MAX_LENGTH);
  } catch {
    return 'something that cannot be shown was thrown';
  }
}

function tell(error: unknown, causes: number): string {
  if (!(error instanceof Error)) return `thrown: ${inspect(error, { depth: 2 })}`;
  const own = error.stack ?? error.message;
  return error.cause === undefined || causes === 0 ? own : `${own}\ncaused by ${tell(error.cause, causes - 1)}`;
}
