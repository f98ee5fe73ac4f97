// Loads the agent of a worker, whatever kind it is, and with it only what that kind needs: each worker pays for its own copy.
import type { ReadDefinition } from '../../../shared/agent/definition.ts';
import { originOf } from '../../../shared/agent/origin.ts';
import type { LoadedAgent, LoadOptions } from './agent.ts';
import { loadDeclarative } from './declarative.ts';

/**
 * @param file absolute path
 * @param definition what the file holds; null where it is a module
 * @param name the name that the agent was asked for; its file may say another
 * @throws AgentLoadError
 */
export async function loadAgent(file: string, definition: ReadDefinition | null, name: string, options: LoadOptions): Promise<LoadedAgent> {
  if (definition !== null) {
    // Its tools may run agents of the SDK, each with the key of the interaction that called it.
    if (definition.value.tools.length + definition.value.agents.length > 0) (await import('./sdk/copies.ts')).watchSdkImports(options.baseEnv);
    return loadDeclarative({ definition: definition.value, written: [] }, name, options, originOf(file, definition.lines));
  }
  const { loadModule } = await import('./module.ts');
  return loadModule(file, name, options);
}
