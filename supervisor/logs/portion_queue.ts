// Portions of a text between the thread that makes them and the reader that takes them, one after another.

export interface PortionQueue {
  push(portion: string): void;
  /** No more come: the reader ends after the last one, or throws. */
  end(error?: Error): void;
  /** For one reader. */
  readonly portions: AsyncIterable<string>;
}

export interface Reading {
  /** Called for each portion that the reader has done with. */
  taken(): void;
  /** Called when it wants no more, be it before the end. */
  left(): void;
  /** Called when it has not done with a portion for so long. */
  late(): void;
  readonly lateMs: number;
}

export function createPortionQueue({ taken, left, late, lateMs }: Reading): PortionQueue {
  const kept: string[] = [];
  let outcome: { readonly error: Error | undefined } | null = null;
  let wake: (() => void) | undefined;

  async function* read(): AsyncGenerator<string> {
    try {
      for (;;) {
        const portion = kept.shift();
        if (portion !== undefined) {
          const timer = setTimeout(late, lateMs).unref();
          try {
            yield portion;
          } finally {
            clearTimeout(timer);
          }
          taken();
        } else if (outcome === null) {
          await new Promise<void>((resolve) => (wake = resolve));
        } else if (outcome.error === undefined) {
          return;
        } else {
          throw outcome.error;
        }
      }
    } finally {
      left();
    }
  }

  return {
    push(portion) {
      kept.push(portion);
      wake?.();
    },
    end(error) {
      outcome ??= { error };
      wake?.();
    },
    portions: read(),
  };
}
