// The environment that the server reads: the process's variables over those of the config root's `.env`.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { nearest } from '../shared/agent/nearest.ts';
import { KNOWN_VARIABLES } from '../shared/variables.ts';

export interface Environment {
  readonly values: Readonly<Record<string, string>>;
  /** The names whose value `.env` gave. */
  readonly fromFile: ReadonlySet<string>;
}

/** `.env` cannot be read or understood. */
export class EnvironmentFileError extends Error {
  readonly exitCode = 78;

  constructor(file: string, line: number | null, reason: string) {
    super(`${file}${line === null ? '' : `:${line}`}: ${reason}`);
    this.name = 'EnvironmentFileError';
  }
}

/** The server's own credentials and settings: no agent sees them. */
const PRIVATE = /^(REDIS|LOGGING_DB|OAI)_/;

/** Reads `<configRoot>/.env`, if there is one, under the variables of `processEnv`. */
export async function readEnvironment(configRoot: string, processEnv: Readonly<Record<string, string | undefined>>): Promise<Environment> {
  const real = Object.fromEntries(Object.entries(processEnv).filter((entry): entry is [string, string] => entry[1] !== undefined));
  const file = join(configRoot, '.env');
  const fileValues = parseEnvironmentFile(file, await readIfThere(file));
  return { values: { ...fileValues, ...real }, fromFile: new Set(Object.keys(fileValues).filter((name) => !(name in real))) };
}

/** A shorter name may well be another one: `HOST` is one letter from `PORT`. */
const SHORTEST_MISSPELT = 6;
const MISSPELT_LETTERS = 2;

/** A warning for each name of `.env` that is nearly a variable of the server's; other variables are there for the agent. */
export function misspeltVariables({ fromFile }: Environment): string[] {
  const others = [...fromFile].filter((name) => name.length >= SHORTEST_MISSPELT && !KNOWN_VARIABLES.includes(name));
  return others.flatMap((name) => {
    const meant = nearest(name, KNOWN_VARIABLES, MISSPELT_LETTERS);
    return meant === null ? [] : [`.env: ${name} is no variable of the server; did you mean ${meant}?`];
  });
}

/** What the workers are given: everything but the server's own. */
export function workerEnvironment(values: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter(([name]) => !PRIVATE.test(name)));
}

async function readIfThere(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return '';
    throw new EnvironmentFileError(file, null, `cannot be read: ${message}`);
  }
}

/**
 * Parses the text of an environment file, one entry at a time: given the whole, `parseEnv` drops a line that it does not understand, and reads the
 * line after `NAME= ` as its value.
 * @throws EnvironmentFileError with the first line that is neither blank, a comment nor `NAME=value`
 */
export function parseEnvironmentFile(file: string, text: string): Record<string, string> {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const values: Record<string, string> = {};
  for (let at = 0; at < lines.length; at += 1) {
    const line = (lines[at] ?? '').trim();
    if (line === '' || line.startsWith('#')) continue;
    const entry = /^(?:export\s+)?(?<name>[A-Za-z_][A-Za-z0-9_.-]*)\s*=\s*(?<value>.*)$/s.exec(line)?.groups;
    if (entry === undefined) throw new EnvironmentFileError(file, at + 1, 'expected NAME=value, a comment or an empty line');
    const last = lastLineOf(entry['value'] ?? '', lines, at);
    if (last === null) throw new EnvironmentFileError(file, at + 1, 'expected the closing quote of this value');
    const value = [entry['value'], ...lines.slice(at + 1, last + 1)].join('\n');
    Object.assign(values, parseEnv(`${entry['name']}=${value}`));
    at = last;
  }
  return values;
}

/** The line on which a value that begins on line `first` ends; null when its quote is never closed. */
function lastLineOf(value: string, lines: readonly string[], first: number): number | null {
  const quote = value[0];
  if (quote === undefined || !`"'\``.includes(quote) || value.includes(quote, 1)) return first;
  const found = lines.findIndex((line, index) => index > first && line.includes(quote));
  return found === -1 ? null : found;
}
