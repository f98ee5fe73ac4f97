// Finds the tools of an agent: exports of the modules that its file names, and those that a module's definition holds itself.
import { existsSync } from 'node:fs';
import { dirname, isAbsolute, resolve } from 'node:path';
import { AgentLoadError } from '../../../shared/agent/load_error.ts';
import { nearest } from '../../../shared/agent/nearest.ts';
import type { Origin } from '../../../shared/agent/origin.ts';
import type { DeclarativeDefinition } from '../../../shared/agent/schema.ts';
import type { Tool } from '../engine/tools.ts';
import type { AgentContext } from './agent.ts';
import { importModule, isKeptModule } from './import_module.ts';
import { noteFile } from './loaded_files.ts';
import type { toolParameters } from './tool_schema.ts';

/** A tool as its author writes it. */
export interface WrittenTool {
  readonly name?: unknown;
  readonly description?: unknown;
  readonly parameters?: unknown;
  readonly timeout_ms?: unknown;
  readonly execute: (args: unknown, context: AgentContext) => unknown;
}

type ReadParameters = typeof toolParameters;

/** The names that both APIs accept. */
const TOOL_NAME = /^[A-Za-z0-9_-]{1,64}$/;
const DEFAULT_TIMEOUT_MS = 30_000;

export function isWrittenTool(value: unknown): value is WrittenTool {
  return typeof value === 'object' && value !== null && 'execute' in value && typeof value.execute === 'function';
}

/**
 * The tools by name, in the order of the file.
 * @param written those of a module's own definition, by name
 * @throws AgentLoadError
 */
export async function loadTools(
  entries: DeclarativeDefinition['tools'],
  written: readonly (readonly [string, WrittenTool])[],
  origin: Origin,
): Promise<ReadonlyMap<string, Tool>> {
  const tools = new Map<string, Tool>();
  if (entries.length + written.length === 0) return tools;
  // Only where there are tools: it brings the validator of JSON Schema, 7 MB a worker.
  const { toolParameters: parametersOf } = await import('./tool_schema.ts');
  const add = (tool: Tool, line: number | null) => {
    if (tools.has(tool.name)) throw new AgentLoadError(`tools: two tools are named ${tool.name}`, origin.file, line);
    tools.set(tool.name, tool);
  };
  for (const [name, tool] of written) add(toTool(name, tool, undefined, origin.file, parametersOf), null);
  for (const [index, entry] of entries.entries()) {
    const line = origin.lineOf(['tools', index, 'module']);
    for (const tool of await toolsOfModule(entry, index, origin, parametersOf)) add(tool, line);
  }
  return tools;
}

async function toolsOfModule(
  entry: DeclarativeDefinition['tools'][number],
  index: number,
  origin: Origin,
  parametersOf: ReadParameters,
): Promise<Tool[]> {
  const problem = (message: string, ...path: PropertyKey[]) =>
    new AgentLoadError(`tools[${index}]: ${message}`, origin.file, origin.lineOf(['tools', index, ...path]));
  if (!/^\.{1,2}\//.test(entry.module) && !isAbsolute(entry.module)) {
    throw problem(`module: expected a path such as ./tools/time.ts, got ${entry.module}`, 'module');
  }
  const file = resolve(dirname(origin.file), entry.module);
  if (!isKeptModule(file) && !existsSync(file)) {
    noteFile(file);
    throw problem(`there is no module ${entry.module}`, 'module');
  }
  const exports = await importModule(file);
  const found = Object.entries(exports).flatMap(([name, value]) => (isWrittenTool(value) ? [toTool(name, value, entry.timeout_ms, file, parametersOf)] : []));
  if (found.length === 0) throw problem(`${entry.module} exports no tool: expected { description, parameters, execute(args, context) }`, 'module');
  const names = found.map((tool) => tool.name);
  for (const [at, name] of (entry.only ?? []).entries()) {
    if (names.includes(name)) continue;
    const meant = nearest(name, names);
    const hint = meant === null ? `it has ${names.join(', ')}` : `did you mean ${meant}?`;
    throw problem(`only: ${entry.module} has no tool ${name}; ${hint}`, 'only', at);
  }
  return found.filter((tool) => entry.only?.includes(tool.name) ?? true);
}

function toTool(exportName: string, written: WrittenTool, timeoutMs: number | undefined, file: string, parametersOf: ReadParameters): Tool {
  const name = typeof written.name === 'string' ? written.name : exportName;
  const problem = (message: string) => new AgentLoadError(`tool ${name}: ${message}`, file);
  if (!TOOL_NAME.test(name)) throw problem('the name must have letters, digits, _ and - only, at most 64');
  if (typeof written.description !== 'string' || written.description === '') {
    throw problem('expected a description, by which the model knows when to use it');
  }
  const timeout = timeoutMs ?? written.timeout_ms ?? DEFAULT_TIMEOUT_MS;
  if (typeof timeout !== 'number' || !Number.isSafeInteger(timeout) || timeout < 1) {
    throw problem('timeout_ms must be a whole number of milliseconds');
  }
  try {
    const { schema, validate } = parametersOf(written.parameters);
    const execute = (args: unknown, context: AgentContext) => written.execute(args, context);
    return { name, description: written.description, parameters: schema, timeoutMs: timeout, validate, execute };
  } catch (error) {
    throw problem(error instanceof Error ? error.message : String(error));
  }
}
