// Why an agent does not load, in one sentence, with the place in its files where that is known.

export interface LoadFailure {
  readonly message: string;
  /** Where, as a path relative to the config root where possible, for the person at the terminal; never sent to a client. */
  readonly file: string | null;
  readonly line: number | null;
}

export class AgentLoadError extends Error {
  /** Absolute path; null where no file is to blame. */
  readonly file: string | null;
  /** From 1. */
  readonly line: number | null;

  constructor(message: string, file: string | null, line: number | null = null, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = 'AgentLoadError';
    this.file = file;
    this.line = line;
  }
}

/** The failure as the supervisor tells it at the terminal. */
export function toLoadFailure(error: unknown): LoadFailure {
  if (error instanceof AgentLoadError) return { message: error.message, file: error.file, line: error.line };
  return { message: error instanceof Error ? error.message : String(error), file: null, line: null };
}
