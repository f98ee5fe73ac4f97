// Imports a module of the agent's; where that fails, says in one line why and where.
import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { AgentLoadError } from '../../../shared/agent/load_error.ts';
import { isKeptImport } from './kept_modules.ts';

/** Of the worker, whose frames say nothing to the agent's author. */
const OWN_FOLDER = dirname(import.meta.dirname);

/** @throws AgentLoadError */
export async function importModule(file: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  } catch (error) {
    throw importError(error, file);
  }
}

/** Whether the generation has it, be it on disk still or not. */
export function isKeptModule(file: string): boolean {
  return isKeptImport(pathToFileURL(file).href, import.meta.url);
}

interface Place {
  readonly file: string;
  readonly line: number;
}

/** Why the agent's file, or what it imports, could not be imported. */
export function importError(error: unknown, file: string): AgentLoadError {
  if (!(error instanceof Error)) return new AgentLoadError(`the module threw ${String(error).slice(0, 200)}`, file);
  const place = placeOf(error) ?? (error instanceof SyntaxError ? syntaxPlace(file) : null);
  return new AgentLoadError(wordsOf(error, file), place?.file ?? importerOf(error) ?? file, place?.line ?? null, { cause: error });
}

function wordsOf(error: Error, file: string): string {
  const message = withoutFolders(error.message.split('\n')[0] ?? '', file);
  switch ('code' in error ? error.code : undefined) {
    case 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX':
      return `${message}: Node runs TypeScript by leaving the types out, so enum, namespace and parameter properties cannot be used`;
    case 'ERR_INVALID_TYPESCRIPT_SYNTAX':
      return `syntax error: ${message}`;
    case 'ERR_MODULE_NOT_FOUND':
    case 'ERR_UNSUPPORTED_DIR_IMPORT':
      if (message.startsWith('Cannot find package ')) return missingPackage(message);
      return message.replace(/ imported from .*/, '') + (message.includes(".js'") && file.endsWith('ts') ? ' (a TypeScript file is imported as .ts)' : '');
  }
  if (/^Cannot use import statement outside a module|^Unexpected token 'export'/.test(message)) {
    return `${message}: the package.json next to it says that .js and .ts are CommonJS; write "type": "module" there, or name the file .mts or .mjs`;
  }
  if (/does not provide an export named/.test(message)) return `${message} (a type is imported with \`import type\`)`;
  if (/^(module|exports|require) is not defined in ES module scope/.test(message)) {
    return `${message.split(',')[0]}: use import and export, or name the file .cjs and import it`;
  }
  return error instanceof SyntaxError ? `syntax error: ${message}` : `${error.name}: ${message}`;
}

/** `Cannot find package 'a' imported from …`, and what to do about it; of the SDK, with the package that it wants beside it. */
function missingPackage(message: string): string {
  const name = /^Cannot find package '([^']+)'/.exec(message)?.[1] ?? '';
  return `Cannot find package '${name}': install it next to the agent, with npm install ${name === '@openai/agents' ? `${name} zod` : name}`;
}

/** The module's own folder says nothing to who reads it. */
function withoutFolders(message: string, file: string): string {
  const folder = dirname(file);
  return message.replaceAll('file://', '').replaceAll(`${folder}/`, './').replaceAll(`${dirname(folder)}/`, '../');
}

/** The first place in the stack that is neither ours nor a package's: above the message for errors of syntax and linking, else below it. */
function placeOf(error: Error): Place | null {
  // A failed import has no place: its stack is that of whoever asked for the agent.
  if ('code' in error && error.code === 'ERR_MODULE_NOT_FOUND') return null;
  const stack = error.stack ?? '';
  const head = /^(file:\/\/\S+|\/\S+):(\d+)$/m.exec(stack);
  const frames = stack.matchAll(/(?:\(|at |at async )(file:\/\/[^)\s]+|\/[^)\s]+):(\d+):\d+/g);
  for (const [, place = '', line] of head === null ? frames : [head]) {
    const file = place.startsWith('file:') ? fileURLToPath(place) : place;
    if (!file.startsWith(OWN_FOLDER) && !file.includes('/node_modules/')) return { file, line: Number(line) };
  }
  return null;
}

/** Node tells where the syntax of plain JavaScript is wrong only when it prints the error itself. */
function syntaxPlace(file: string): Place | null {
  const { stderr } = spawnSync(process.execPath, ['--check', file], { encoding: 'utf8', timeout: 5_000, env: {} });
  const line = /^\S.*:(\d+)$/m.exec(stderr)?.[1];
  return line === undefined ? null : { file, line: Number(line) };
}

/** Who asked for the module that is missing; null where that was this file. */
function importerOf(error: Error): string | null {
  const importer = / imported from (\S.*)$/.exec(error.message)?.[1] ?? null;
  return importer === import.meta.filename ? null : importer;
}
