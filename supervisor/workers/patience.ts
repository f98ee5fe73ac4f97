// How long what a worker still runs may go on once the worker has been replaced: without end, unless there is a reason.

/** For the neighbours of code that only the end of the thread ends, and for those of whom there are too many. */
export const NEIGHBOUR_PATIENCE_MS = 30_000;

export interface Patience {
  readonly isLimited: boolean;
  /** At most so long from its beginning, or from now where it has begun. Of several limits the one that comes first counts. */
  limit(ms: number): void;
  begin(): void;
  end(): void;
}

/** @param onOver called when a limit is reached */
export function createPatience(onOver: () => void): Patience {
  let limitMs = Number.POSITIVE_INFINITY;
  let deadline = Number.POSITIVE_INFINITY;
  let begun = false;
  let timer: NodeJS.Timeout | undefined;
  const arm = (ms: number): void => {
    const now = performance.now();
    if (!begun || now + ms >= deadline) return;
    deadline = now + ms;
    clearTimeout(timer);
    timer = setTimeout(onOver, ms);
  };
  return {
    get isLimited() {
      return limitMs !== Number.POSITIVE_INFINITY;
    },
    limit(ms) {
      limitMs = Math.min(limitMs, ms);
      arm(ms);
    },
    begin() {
      begun = true;
      arm(limitMs);
    },
    end: () => clearTimeout(timer),
  };
}
