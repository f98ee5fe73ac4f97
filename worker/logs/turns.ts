// Turns: so many works at once, the others in the order in which they came.

/** Runs the work when its turn has come. @throws the signal's reason, where it is aborted before that */
export type TakeTurn = <T>(signal: AbortSignal, work: () => T | Promise<T>) => Promise<T>;

export function createTurns(most: number): TakeTurn {
  const waiting: (() => void)[] = [];
  let running = 0;

  const enter = async (): Promise<void> => {
    if (running < most) running += 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
  };
  /** Whoever waits takes the place over, so that nobody who comes meanwhile does. */
  const leave = (): void => {
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  };

  return async (signal, work) => {
    await enter();
    try {
      signal.throwIfAborted();
      return await work();
    } finally {
      // Not at once: where works block the thread, messages that have come meanwhile are read between them.
      setImmediate(leave);
    }
  };
}
