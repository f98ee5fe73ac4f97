// Watches the workers' heartbeats: one that stops for a second gets nothing new, one that stops for long is given up.
import type { Slot } from './slot.ts';

const CHECK_EVERY_MS = 250;
const SUSPECT_AFTER_MS = 1000;
/** When this check itself comes so late, the whole process was held (a suspended machine, SIGSTOP): no worker is to blame. */
const OWN_LATENESS_MS = 750;

interface Beat {
  count: number;
  since: number;
}

/**
 * Starts the watch over `slots()`, which may change between checks.
 * @returns what ends it
 */
export function watchHeartbeats(slots: () => Iterable<Slot>, stuckTimeoutMs: () => number): () => void {
  const beats = new WeakMap<Slot, Beat>();
  let checkedAt = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    const late = now - checkedAt - CHECK_EVERY_MS > OWN_LATENESS_MS;
    checkedAt = now;
    for (const slot of slots()) {
      if (slot.state === 'booting' || slot.state === 'lost') continue;
      const beat = beats.get(slot);
      const count = slot.heartbeat;
      if (beat === undefined || beat.count !== count || late) {
        beats.set(slot, { count, since: now });
        slot.recover();
      } else if (now - beat.since > stuckTimeoutMs()) {
        void slot.lose('WORKER_STUCK', `no heartbeat for ${Math.round((now - beat.since) / 1000)} s`);
      } else if (now - beat.since > SUSPECT_AFTER_MS) {
        slot.suspect();
      }
    }
  }, CHECK_EVERY_MS);
  return () => clearInterval(timer);
}
