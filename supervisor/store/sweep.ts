// Deletes expired sessions in the background, in portions that never hold the event loop for long.
import type { Logger } from '../log.ts';
import type { EmbeddedSessions } from './sqlite.ts';

const SWEEP_EVERY_MS = 60_000;
/** Between portions while there is more: a busy server's sessions must go faster than they come. */
const NEXT_PORTION_MS = 20;

/** @returns what ends it */
export function sweepSessions(store: Pick<EmbeddedSessions, 'sweep'>, log: Logger): () => void {
  let timer: NodeJS.Timeout;
  const sweep = (): void => {
    let more = false;
    try {
      more = store.sweep(Date.now());
    } catch (error) {
      log.error({ err: error }, 'expired sessions could not be deleted');
    }
    timer = setTimeout(sweep, more ? NEXT_PORTION_MS : SWEEP_EVERY_MS);
  };
  timer = setTimeout(sweep, NEXT_PORTION_MS);
  return () => clearTimeout(timer);
}
