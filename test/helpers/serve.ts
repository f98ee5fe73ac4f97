// A server for the tests of one file, with an agent of test/fixtures; it ends when they do.
import type { Test } from 'tap';
import { nothingIsLeft } from './leftovers.ts';
import { startModelServer, type ModelServer } from './model_server.ts';
import { startServer, type StartedServer } from './process.ts';

interface ServeOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export async function serve(t: Test, agent: string, { args = [], env = {} }: ServeOptions = {}): Promise<StartedServer> {
  const workers = args.includes('--workers') ? [] : ['--workers', '1'];
  const words = ['--config-root', 'test/fixtures', '--host', '127.0.0.1', ...workers, ...args];
  const server = await startServer({ agent, args: words, env });
  t.teardown(() => server.stop());
  return server;
}

/** The same with a scripted model behind it. */
export async function serveModel(t: Test, agent: string, options: ServeOptions = {}): Promise<StartedServer & { model: ModelServer }> {
  const model = await startModelServer();
  t.teardown(() => model.close());
  const env = { OPENAI_BASE_URL: model.url, OPENAI_API_KEY: 'sk-of-the-server', ...options.env };
  const server = await serve(t, agent, { ...options, env });
  return { ...server, model };
}

/** A message that tells the scripted model what to do, on one line. */
export const directed = (step: unknown): string => `@model ${JSON.stringify(step).replaceAll('\u2028', String.raw`\u2028`)}`;

/** The last test of a file: the servers end as they should, and take everything with them. */
export function endsCleanly(t: Test, ...servers: readonly (StartedServer & { readonly model?: ModelServer })[]): void {
  t.test('the server ends with 0', async (t) => {
    for (const { stop, model } of servers) {
      t.strictSame(await stop(), { code: 0, signal: null });
      await model?.close();
    }
    nothingIsLeft(t);
  });
}
