// One timer for all paced streams: a wheel that turns once an interval, and on which streams are spread by when they came.

/** A stream's turn; false when it is over. */
type Tick = () => boolean;

export interface Wheel {
  /** Calls `tick` once a turn, the first time one turn from now. */
  readonly join: (tick: Tick) => void;
}

const SLOT_MS = 2;

/** Starts a wheel that turns once in `intervalMs`; it lasts as long as the process. */
export function createWheel(intervalMs: number): Wheel {
  const slotCount = intervalMs / SLOT_MS;
  const slots: Tick[][] = Array.from({ length: slotCount }, () => []);
  const startedMs = performance.now();
  let position = 0;

  const timer = setInterval(() => {
    // By the clock, not by the count of calls: a timer that fires late would slow every stream down.
    const due = Math.floor((performance.now() - startedMs) / SLOT_MS);
    for (; position < due; position++) {
      const slot = (position + 1) % slotCount;
      slots[slot] = slots[slot]?.filter((tick) => tick()) ?? [];
    }
  }, SLOT_MS);
  timer.unref();

  return { join: (tick) => slots[position % slotCount]?.push(tick) };
}
