// A definition that a module exports: the same keys as in a text file, and tools that are functions.
import { AgentLoadError } from '../../../shared/agent/load_error.ts';
import type { Origin } from '../../../shared/agent/origin.ts';
import { declarativeSchema, type DeclarativeDefinition } from '../../../shared/agent/schema.ts';
import { validate } from '../../../shared/agent/validate.ts';
import { isWrittenTool, type WrittenTool } from './tool_exports.ts';

/** A valid definition, and the tools that its module holds itself, by name. */
export interface LoadedDefinition {
  readonly definition: DeclarativeDefinition;
  readonly written: readonly (readonly [string, WrittenTool])[];
}

/** @throws AgentLoadError */
export function moduleDefinition(exported: object, origin: Origin): LoadedDefinition {
  const { definition, written } = splitTools(exported, origin.file);
  return { definition: validate(declarativeSchema, definition, origin), written };
}

interface Split {
  readonly definition: unknown;
  readonly written: LoadedDefinition['written'];
}

/** Parts a definition from the tools that it holds itself: an object of them by name, or among the entries of the list, each with its own name. */
function splitTools(exported: object, file: string): Split {
  const { tools, ...rest } = exported as Record<string, unknown>;
  if (typeof tools !== 'object' || tools === null) return { definition: exported, written: [] };
  if (!Array.isArray(tools)) {
    const entries = Object.entries(tools).map(([name, tool]): readonly [string, WrittenTool] => {
      if (!isWrittenTool(tool)) throw new AgentLoadError(`tools.${name}: expected { description, parameters, execute(args, context) }`, file);
      return [name, tool];
    });
    return { definition: rest, written: entries };
  }
  const named = tools.filter(isWrittenTool).map((tool): readonly [string, WrittenTool] => {
    if (typeof tool.name !== 'string') throw new AgentLoadError('tools: a tool in a list needs a name', file);
    return [tool.name, tool];
  });
  return { definition: { ...rest, tools: tools.filter((tool) => !isWrittenTool(tool)) }, written: named };
}
