// The HTTP client of a worker's model calls, which its interactions share.
import type { Dispatcher } from 'undici';

/** How long an idle connection to the model is kept, in ms, where its server does not say. */
const KEEP_ALIVE_MS = 15_000;
const CONNECT_TIMEOUT_MS = 10_000;

export interface ModelClient {
  /** The pool of connections, made for the first call: undici takes 15 MB, which a worker without calls need not have. */
  dispatcher(): Promise<Dispatcher>;
  close(): Promise<void>;
}

/**
 * No HTTP/2: an abort has to close the connection, and one slow reader must not hold up the others of a shared one. Silence is timed by the call.
 * @param connections most at once to one server
 */
export function createModelClient(connections: number): ModelClient {
  let pool: Promise<Dispatcher> | undefined;
  const open = async (): Promise<Dispatcher> => {
    const { Agent } = await import('undici');
    return new Agent({
      connections,
      allowH2: false,
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connect: { timeout: CONNECT_TIMEOUT_MS },
    });
  };
  return {
    dispatcher: () => (pool ??= open()),
    close: async () => (await pool)?.destroy(),
  };
}
