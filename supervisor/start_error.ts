// Why a server did not start, in one line for the person who started it.

export class StartError extends Error {
  /** 78 where the configuration or the agent is at fault, else 1. */
  readonly exitCode: 1 | 78;

  constructor(exitCode: 1 | 78, message: string) {
    super(message);
    this.name = 'StartError';
    this.exitCode = exitCode;
  }
}
