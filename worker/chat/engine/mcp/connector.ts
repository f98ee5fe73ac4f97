// Makes the connections of an agent's MCP servers, and knows the processes that they hold.
import type { Dispatcher } from 'undici';
import type { Environment } from '../model.ts';
import { McpConnection } from './connection.ts';
import type { McpEntry } from './entry.ts';
import { openLink } from './link.ts';
import { createServerLog, type ServerLog } from './server_log.ts';
import { createProcessTransport } from './stdio.ts';

/** For the handshake and the list of tools. A process may have to load first, beside those of all other workers. */
const CONNECT_LIMIT_MS = { stdio: 20_000, http: 10_000 };

export interface Connector {
  /** Of the processes that live. */
  readonly pids: ReadonlySet<number>;
  /**
   * A connection that is still to be opened.
   * @param env of the interaction that it is for; null where all share it
   * @throws AppError, see McpEntry
   */
  connect(entry: McpEntry, env: Environment | null, changed: () => void): { readonly connection: McpConnection; readonly log: ServerLog };
  close(): Promise<void>;
}

export async function createConnector(entries: readonly McpEntry[], pidsChanged: () => void): Promise<Connector> {
  const pids = new Set<number>();
  // Only where there is one to speak to: undici takes 15 MB.
  const http = entries.some(({ transport }) => transport === 'http') ? await import('./http.ts') : null;
  const pool: Dispatcher | undefined = http?.createHttpPool();
  return {
    pids,
    connect(entry, env, changed) {
      const target = entry.target(env);
      const log = createServerLog(entry.name, target.secrets);
      const watch = {
        started: (pid: number) => {
          pids.add(pid);
          pidsChanged();
        },
        ended: (pid: number) => {
          pids.delete(pid);
          pidsChanged();
        },
        printed: log.printed,
      };
      const connection = new McpConnection({
        name: entry.name,
        returns: env === null,
        log,
        changed,
        connect: (events, signal) => {
          const transport =
            target.transport === 'stdio'
              ? createProcessTransport(target, watch)
              : (http as NonNullable<typeof http>).createHttpTransport(target, { pool: pool as Dispatcher, listens: env === null, doubt: events.doubt });
          return openLink(transport, events, CONNECT_LIMIT_MS[target.transport], signal);
        },
      });
      return { connection, log };
    },
    close: async () => pool?.destroy(),
  };
}
