// What an interaction has started of the agent's own code: an interaction that is cancelled ends at once, its code when it takes notice.

export interface RunningCode {
  /** @param code settles when that part of the code has ended, however it did */
  follow(code: Promise<unknown>): void;
  /** Whether any of it has not ended. */
  readonly runs: boolean;
  /** Resolves when none of it runs. */
  ended(): Promise<void>;
}

export function createRunningCode(): RunningCode {
  let open = 0;
  const waiting: (() => void)[] = [];
  const settled = (): void => {
    open -= 1;
    if (open === 0) for (const resolve of waiting.splice(0)) resolve();
  };
  return {
    follow(code) {
      open += 1;
      code.then(settled, settled);
    },
    get runs() {
      return open > 0;
    },
    ended: () => new Promise((resolve) => void (open === 0 ? resolve() : waiting.push(resolve))),
  };
}
