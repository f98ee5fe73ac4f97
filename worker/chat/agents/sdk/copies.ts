// Finds the copy of @openai/agents that an agent's own code imports, before that code runs: the server brings none of its own.
import { createRequire, registerHooks, type ResolveFnOutput } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Sdk } from './package.ts';
import { installProvider } from './provider.ts';

const NAME = '@openai/agents';
/** Stands before the URL of a file: the package as that file would import it. */
const IMPORTED_BY = 'openai-agents-of:';
const DISABLE_TRACING = 'OPENAI_AGENTS_DISABLE_TRACING';

/** By the URL of their entry file, in the order in which they were imported. */
const copies = new Map<string, Sdk>();
let tracingWanted = false;
let watching = false;

/**
 * From now on every copy that this thread imports is prepared for interactions that run side by side: see `installProvider`. Its tracing, which is on
 * unless something turns it off and would send every conversation to OpenAI, is off, unless the environment's OPENAI_AGENTS_DISABLE_TRACING is there
 * to decide, or the agent's code turns it on (`setTracingDisabled(false)`).
 * @param env what `process.env` is while the agent loads
 */
export function watchSdkImports(env: Readonly<Record<string, string | undefined>>): void {
  tracingWanted = env[DISABLE_TRACING] !== undefined;
  if (watching) return;
  watching = true;
  registerHooks({
    resolve(specifier, context, next) {
      if (specifier.startsWith(IMPORTED_BY)) {
        return imported(next(NAME, { ...context, parentURL: specifier.slice(IMPORTED_BY.length) }).url);
      }
      const resolved = next(specifier, context);
      if (specifier !== NAME) return resolved;
      if (!context.conditions.includes('require')) return imported(resolved.url);
      prepareSdk(resolved.url, createRequire(resolved.url)(fileURLToPath(resolved.url)) as Sdk);
      return resolved;
    },
  });
}

/**
 * The module that stands for the package in an import: the package itself, prepared once it has run and before its importer does. What an agent's
 * code sets afterwards, such as a default provider of its own, then stays.
 */
function imported(url: string): ResolveFnOutput {
  const sdk = JSON.stringify(url);
  const source =
    `import * as sdk from ${sdk}; import { prepareSdk } from ${JSON.stringify(import.meta.url)};` +
    `prepareSdk(${sdk}, sdk); export * from ${sdk};`;
  return { url: `data:text/javascript,${encodeURIComponent(source)}`, format: 'module', shortCircuit: true };
}

/** For the module above only. */
export function prepareSdk(url: string, sdk: Sdk): void {
  if (copies.has(url)) return;
  copies.set(url, sdk);
  if (!isUsable(sdk)) return;
  if (!tracingWanted) sdk.setTracingDisabled(true);
  installProvider(sdk);
}

/** Whether the copy has what is asked of it here; older ones have not. */
export function isUsable(sdk: Sdk): boolean {
  return [sdk.Runner, sdk.OpenAIProvider, sdk.NoopTrace, sdk.setDefaultModelProvider, sdk.setTracingDisabled, sdk.getGlobalTraceProvider].every(
    (needed: unknown) => typeof needed === 'function',
  );
}

/**
 * The copy that runs this agent: the one it is made with, else, as copies of about the same age understand each other, the one that its file would
 * import.
 * @param file the agent's, absolute
 * @throws the error of an import that finds none
 */
export async function copyFor(agent: object, file: string): Promise<Sdk> {
  const own = [...copies.values()].find((sdk) => agent instanceof sdk.Agent);
  return own ?? ((await import(`${IMPORTED_BY}${pathToFileURL(file).href}`)) as Sdk);
}
