// Which client answers for a model's name: one for each interaction, with its own key, also for runs that its tools start.
import type { Model, ModelProvider } from '@openai/agents';
import { AppError } from '../../../../shared/errors.ts';
import { baseUrlIn } from '../../engine/endpoint.ts';
import type { Sdk } from './package.ts';
import { currentRun, enterRun, type SdkRun } from './current_run.ts';
import { watchModel } from './watch_model.ts';

/** What `ownsDefaultProvider` asks for. */
const PROBE = 'oai-agent-server-probe';
const PROBED = new Error('the default provider is ours');

/**
 * Takes the place of the copy's default provider, which makes one client and gives it to everybody: measured, a second caller's conversation went out
 * with the first one's key. Outside of an interaction it makes a client for each call.
 */
export function installProvider(sdk: Sdk): void {
  sdk.setDefaultModelProvider({
    async getModel(name) {
      if (name === PROBE) throw PROBED;
      const run = currentRun();
      return run === undefined ? new sdk.OpenAIProvider().getModel(name) : watchModel(await providerOf(sdk, run).getModel(name));
    },
  });
}

/** The provider of an interaction's run: whatever is the copy's default by now, asked in the name of this interaction. */
export function createRunProvider(sdk: Sdk, run: SdkRun): ModelProvider {
  const inherited = defaultProvider(sdk);
  return { getModel: (name) => enterRun(run, async () => watchModel(await inherited.getModel(name))) };
}

/** Closes the connections that stay open between model calls (websockets, where an agent's code asked for them). Never rejects. */
export async function closeProviders({ providers }: SdkRun): Promise<void> {
  for (const provider of providers.values()) {
    if ('close' in provider && typeof provider.close === 'function') await Promise.resolve(provider.close()).catch(() => undefined);
  }
}

/**
 * Whether the agent's code has left the default provider to us.
 * @param onFailure is told why the agent's own provider gives no model outside of an interaction
 */
export async function isDefaultProvider(sdk: Sdk, onFailure: (error: unknown) => void): Promise<boolean> {
  try {
    await defaultProvider(sdk).getModel(PROBE);
    return false;
  } catch (error) {
    if (error === PROBED) return true;
    onFailure(error);
    return false;
  }
}

/** The SDK has no function that names its default provider, but a runner that was given none asks it. */
function defaultProvider(sdk: Sdk): ModelProvider {
  return new sdk.Runner().config.modelProvider;
}

/** Without options, so that a client, key or API that the agent's code has set (`setDefaultOpenAIClient` …) is used. */
function providerOf(sdk: Sdk, run: SdkRun): ModelProvider {
  const known = run.providers.get(sdk);
  if (known !== undefined) return known;
  const own = new sdk.OpenAIProvider();
  const provider: ModelProvider & { close(): Promise<void> } = {
    async getModel(name) {
      const key = run.context.env['OPENAI_API_KEY']?.trim() ?? '';
      if (!/^[\x21-\x7e]*$/.test(key)) throw new AppError('MODEL_AUTH_FAILED', { message: 'OPENAI_API_KEY has characters that a key cannot have.' });
      try {
        return await own.getModel(name);
      } catch (error) {
        if (key !== '') throw error;
        if (baseUrlIn(run.context.env) === null) throw keyMissing(error);
        return keyless(sdk, name);
      }
    },
    close: () => own.close(),
  };
  run.providers.set(sdk, provider);
  return provider;
}

function keyMissing(cause: unknown): AppError {
  return new AppError('MODEL_AUTH_FAILED', { message: 'No key for the model: OPENAI_API_KEY is not set.' }, { cause });
}

/** A server of one's own may want no key, but the client does. */
async function keyless(sdk: Sdk, name: string | undefined): Promise<Model> {
  return new sdk.OpenAIProvider({ apiKey: 'none' }).getModel(name);
}
