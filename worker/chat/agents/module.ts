// Makes an agent of a module: its default export is a definition, or code that answers by itself.
import { extname } from 'node:path';
import { types } from 'node:util';
import { AgentLoadError } from '../../../shared/agent/load_error.ts';
import { originOf } from '../../../shared/agent/origin.ts';
import type { LoadedAgent, LoadOptions } from './agent.ts';
import { loadDeclarative } from './declarative.ts';
import { loadGenerator } from './generator.ts';
import { importModule } from './import_module.ts';
import { moduleDefinition } from './module_definition.ts';
import { watchSdkImports } from './sdk/copies.ts';
import type { SdkAgent } from './sdk/package.ts';

const MODULES: readonly string[] = ['.ts', '.mts', '.js', '.mjs'];
const EXPECTED =
  'expected the default export to be an Agent of @openai/agents, a definition with a model, { name, async *chat(input, context) }, ' +
  'or an async generator function';

/** @throws AgentLoadError */
export async function loadModule(file: string, name: string, options: LoadOptions): Promise<LoadedAgent> {
  if (!MODULES.includes(extname(file))) throw new AgentLoadError(`expected a file ending in .yaml, .yml, .json, ${MODULES.join(', ')}`, file);
  const origin = originOf(file, {});
  watchSdkImports(options.baseEnv);
  const exports = await importModule(file);
  const exported = exports['default'];
  if (types.isGeneratorFunction(exported) && types.isAsyncFunction(exported)) return loadGenerator({ chat: exported }, name, origin);
  if (exported === undefined) throw new AgentLoadError(`there is no default export: ${EXPECTED}`, file);
  if (typeof exported !== 'object' || exported === null || Array.isArray(exported)) throw new AgentLoadError(EXPECTED, file);
  if (isSdkAgent(exported)) {
    const { loadSdkAgent } = await import('./sdk/load.ts');
    return loadSdkAgent(exported, exports, options, origin);
  }
  if ('chat' in exported) return loadGenerator(exported, name, origin);
  if (!('model' in exported)) throw new AgentLoadError(EXPECTED, file);
  return loadDeclarative(moduleDefinition(exported, origin), name, options, origin);
}

/** By its shape: the user's own copy of the SDK is another class than any that could be imported here. */
function isSdkAgent(value: object): value is SdkAgent {
  const has = (name: string) => name in value && typeof (value as Record<string, unknown>)[name] === 'function';
  return 'instructions' in value && 'handoffs' in value && has('getSystemPrompt') && has('getAllTools') && has('asTool');
}
