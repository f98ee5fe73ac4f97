// Waiting for something to do: for so long at most, or until it is said that there is something.

export interface Wake {
  /** Ends the wait that is on, or the next one. */
  now(): void;
  /** Resolves; one at a time. @param limitMs may be Infinity */
  wait(limitMs: number, signal: AbortSignal): Promise<void>;
}

export function createWake(): Wake {
  let isDue = false;
  let end: (() => void) | null = null;
  return {
    now() {
      isDue = true;
      end?.();
    },
    async wait(limitMs, signal) {
      if (!isDue && !signal.aborted) {
        await new Promise<void>((resolve) => {
          const timer = limitMs === Number.POSITIVE_INFINITY ? undefined : setTimeout(() => end?.(), limitMs);
          end = () => {
            clearTimeout(timer);
            signal.removeEventListener('abort', stop);
            resolve();
          };
          const stop = end;
          signal.addEventListener('abort', stop, { once: true });
        });
        end = null;
      }
      isDue = false;
    },
  };
}
