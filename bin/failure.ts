// What a command that fails says and exits with: one line on stderr, never a stack trace.
import { ConfigError } from '../shared/config.ts';

/** The command line is not one that there is. */
export class UsageError extends Error {
  readonly exitCode = 2;

  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

/** The command line is as it has to be, and yet it cannot be done. */
export class CommandError extends Error {
  readonly exitCode = 1;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CommandError';
  }
}

export interface Failure {
  /** One line, without its end. */
  readonly line: string;
  readonly exitCode: number;
}

/** Turns whatever a command threw into its line and its exit code: 2 usage, 78 agent or environment, 1 everything else. */
export function failureOf(error: unknown, logLevel: string | undefined): Failure {
  const exitCode = exitCodeOf(error);
  if (exitCode !== null) return { line: inOneLine(messageOf(error)), exitCode };
  const wantsStack = logLevel === 'debug' || logLevel === 'trace';
  if (wantsStack && error instanceof Error) return { line: `unexpected error: ${error.stack ?? error.message}`, exitCode: 1 };
  return { line: `unexpected error: ${inOneLine(messageOf(error))} (LOG_LEVEL=debug shows where)`, exitCode: 1 };
}

/** null for an error that nobody expected; those that are expected carry their `exitCode`. */
function exitCodeOf(error: unknown): number | null {
  if (error instanceof ConfigError) return error.kind === 'flag' ? 2 : 78;
  return error instanceof Error && 'exitCode' in error && typeof error.exitCode === 'number' ? error.exitCode : null;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Words of the command line may stand in it: line ends and other controls are shown as spaces, the mark of arguments.ts not at all. */
function inOneLine(text: string): string {
  return text.replaceAll('\0', '').replaceAll(/\s*\p{Cc}+\s*/gu, ' ').trim();
}
