// Why a server did not start, in one line for the person who started it.

export class StartError extends Error {
  /** 78 where the configuration or the agent is at fault, else 1. */
  readonly exitCode: 1 | 78;
  /** The file of an agent's that is to blame, where it is known. */
  readonly file: string | null;

  constructor(exitCode: 1 | 78, message: string, file: string | null = null) {
    super(message);
    this.name = 'StartError';
    this.exitCode = exitCode;
    this.file = file;
  }
}
