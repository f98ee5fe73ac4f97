// Makes an agent of a module: its default export is a definition, or code that answers by itself.
import { extname } from 'node:path';
import { types } from 'node:util';
import { AgentLoadError } from '../../../shared/agent/load_error.ts';
import { originOf } from '../../../shared/agent/origin.ts';
import { declarativeSchema } from '../../../shared/agent/schema.ts';
import { validate } from '../../../shared/agent/validate.ts';
import type { LoadedAgent } from './agent.ts';
import { loadDeclarative, type LoadOptions } from './declarative.ts';
import { loadGenerator } from './generator.ts';
import { importModule } from './import_module.ts';
import { isWrittenTool, type WrittenTool } from './tool_exports.ts';

const MODULES: readonly string[] = ['.ts', '.mts', '.js', '.mjs'];
const EXPECTED = 'expected the default export to be a definition with a model, { name, async *chat(input, context) }, or an async generator function';

/** @throws AgentLoadError */
export async function loadModule(file: string, name: string, options: LoadOptions): Promise<LoadedAgent> {
  if (!MODULES.includes(extname(file))) throw new AgentLoadError(`expected a file ending in .yaml, .yml, .json, ${MODULES.join(', ')}`, file);
  const origin = originOf(file, {});
  const exported = (await importModule(file))['default'];
  if (types.isGeneratorFunction(exported) && types.isAsyncFunction(exported)) return loadGenerator({ chat: exported }, name, origin);
  if (exported === undefined) throw new AgentLoadError(`there is no default export: ${EXPECTED}`, file);
  if (typeof exported !== 'object' || exported === null || Array.isArray(exported)) throw new AgentLoadError(EXPECTED, file);
  if (isSdkAgent(exported)) throw new AgentLoadError('an Agent of @openai/agents is not supported by this version yet', file);
  if ('chat' in exported) return loadGenerator(exported, name, origin);
  if (!('model' in exported)) throw new AgentLoadError(EXPECTED, file);
  const { definition, written } = splitTools(exported, file);
  return loadDeclarative(validate(declarativeSchema, definition, origin), written, name, options, origin);
}

/** By its shape: the user's own copy of the SDK is another class than any that could be imported here. */
function isSdkAgent(value: object): boolean {
  const has = (name: string) => name in value && typeof (value as Record<string, unknown>)[name] === 'function';
  return 'instructions' in value && 'handoffs' in value && has('getSystemPrompt') && has('getAllTools') && has('asTool');
}

interface Split {
  readonly definition: unknown;
  readonly written: readonly (readonly [string, WrittenTool])[];
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
