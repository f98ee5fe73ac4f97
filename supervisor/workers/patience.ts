// How long what a worker still runs may go on once the worker has been replaced: without end, unless there is a reason.

/** For the neighbours of code that only the end of the thread ends, and for those of whom there are too many. */
export const NEIGHBOUR_PATIENCE_MS = 30_000;

export interface Patience {
  readonly isLimited: boolean;
  /** At most so long from its beginning, or from now where it has begun. Of several limits the one that comes first counts. */
  limit(ms: number): void;
  /** A limit because of code that does not end; see `settle`. @param id of its interaction */
  limitFor(id: string, ms: number): void;
  /** The code has ended after all: where it was the last, what is left ends by itself, and has no limit any more. */
  settle(id: string): void;
  begin(): void;
  end(): void;
}

/** @param onOver called when a limit is reached */
export function createPatience(onOver: () => void): Patience {
  let limitMs = Number.POSITIVE_INFINITY;
  let deadline = Number.POSITIVE_INFINITY;
  const reasons = new Set<string>();
  let begun = false;
  let timer: NodeJS.Timeout | undefined;
  const arm = (ms: number): void => {
    const now = performance.now();
    if (!begun || now + ms >= deadline) return;
    deadline = now + ms;
    clearTimeout(timer);
    timer = setTimeout(onOver, ms);
  };
  const limit = (ms: number): void => {
    limitMs = Math.min(limitMs, ms);
    arm(ms);
  };
  return {
    get isLimited() {
      return limitMs !== Number.POSITIVE_INFINITY;
    },
    limit,
    limitFor(id, ms) {
      reasons.add(id);
      limit(ms);
    },
    settle(id) {
      if (!reasons.delete(id) || reasons.size > 0) return;
      limitMs = Number.POSITIVE_INFINITY;
      deadline = Number.POSITIVE_INFINITY;
      clearTimeout(timer);
    },
    begin() {
      begun = true;
      arm(limitMs);
    },
    end: () => clearTimeout(timer),
  };
}
