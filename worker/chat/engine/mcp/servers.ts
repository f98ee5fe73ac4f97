// The MCP servers of a declarative agent: one connection a worker, or one an interaction where an entry needs its caller's variables.
import type { AgentLoadError } from '../../../../shared/agent/load_error.ts';
import { nearest } from '../../../../shared/agent/nearest.ts';
import type { McpServerDefinition } from '../../../../shared/agent/schema.ts';
import { AppError } from '../../../../shared/errors.ts';
import type { McpServerFacts } from '../../../../shared/protocol.ts';
import type { AgentContext, McpReport } from '../../agents/agent.ts';
import type { Tool } from '../tools.ts';
import { createCatalog, type Catalog } from './catalog.ts';
import type { McpConnection } from './connection.ts';
import { createConnector, type Connector } from './connector.ts';
import { readEntry, type EntrySettings, type McpEntry } from './entry.ts';
import { McpFailure } from './failure.ts';

export interface McpSettings extends EntrySettings {
  /** The agent's name where it is not the root's, so that states can be told apart: `billing/files`. null for the root. */
  readonly prefix: string | null;
  readonly definitions: Readonly<Record<string, McpServerDefinition>>;
  /** Told of every change, with all states and all processes. */
  readonly changed: McpReport;
}

export interface McpServers {
  readonly facts: readonly McpServerFacts[];
  /** Of the shared connections, as last listed; the same array as long as nothing has changed. */
  readonly tools: readonly Tool[];
  /**
   * Connections for one interaction, with its own variables; null where no entry names one. A server whose variable the caller has not set is left out.
   * Call it inside the interaction's environment.
   * @throws AppError AGENT_FAILED naming the server that cannot be reached; after an abort, the signal's reason
   */
  openForInteraction(context: AgentContext): Promise<McpTools | null>;
  /** Resolves when no process and no connection is left. Never rejects. */
  close(): Promise<void>;
}

export interface McpTools {
  readonly tools: readonly Tool[];
  /** Need not be awaited. Never rejects. */
  close(): Promise<void>;
}

/** In the hint at a tool that a server does not have. */
const MOST_NAMES = 20;

interface Server {
  readonly entry: McpEntry;
  readonly catalog: Catalog;
}

interface SharedServer extends Server {
  readonly connection: McpConnection;
  readonly tools: () => readonly Tool[];
}

/**
 * Connects every server that needs no caller's variable, all at once.
 * @throws AgentLoadError naming the server that does not start, and then nothing of any is left
 */
export async function openMcpServers(settings: McpSettings): Promise<McpServers> {
  const { prefix, definitions } = settings;
  const servers = Object.entries(definitions).map(([name, definition]): Server => {
    const entry = readEntry(name, definition, settings);
    return { entry, catalog: createCatalog(entry) };
  });
  const report = (): void => settings.changed(servers.map(stateOf), [...connector.pids]);
  const connector = await createConnector(servers.map(({ entry }) => entry), report);
  const shared = new Map(servers.filter(({ entry }) => entry.requestVariables.length === 0).map((server) => [server, shareServer(server, connector, report)]));
  const own = servers.filter((server) => !shared.has(server));
  const nameOf = ({ entry }: Server) => (prefix === null ? entry.name : `${prefix}/${entry.name}`);
  const stateOf = (server: Server) => {
    const connection = shared.get(server)?.connection;
    return { name: nameOf(server), state: connection?.state ?? ('per_interaction' as const), error: connection?.error ?? null };
  };
  const opened = new Set<OwnServers>();
  const close = async (): Promise<void> => {
    const all = [...[...shared.values()].map(({ connection }) => connection), ...opened];
    await Promise.all(all.map((each) => each.close()));
    await connector.close();
  };
  try {
    await openAll([...shared.values()]);
  } catch (error) {
    await close();
    throw error;
  }
  report();
  const tools = joined([...shared.values()].map((server) => server.tools));
  return {
    facts: servers.map((server) => ({
      name: nameOf(server),
      transport: server.entry.transport,
      perInteraction: !shared.has(server),
      tools: namesOf(server.entry, shared.get(server)?.connection),
    })),
    get tools() {
      return tools();
    },
    async openForInteraction(context) {
      if (own.length === 0) return null;
      const mine = makeOwn(own, connector, context, () => opened.delete(mine));
      opened.add(mine);
      await mine.open(context.signal);
      return { tools: mine.tools(), close: mine.close };
    },
    close,
  };
}

function shareServer(server: Server, connector: Connector, report: () => void): SharedServer {
  const { connection, log } = connector.connect(server.entry, null, report);
  let from = connection.list;
  let text = '';
  let known: readonly Tool[] = [];
  const tools = (): readonly Tool[] => {
    if (from === connection.list) return known;
    from = connection.list;
    // Whoever caches by the array is not disturbed by a server that lists the same again.
    const now = JSON.stringify(from.tools);
    if (now !== text) known = server.catalog.tools(from, connection, log);
    text = now;
    return known;
  };
  return { ...server, connection, tools };
}

/** The lists as one, which is the same array as long as each of them is. */
function joined(lists: readonly (() => readonly Tool[])[]): () => readonly Tool[] {
  let parts: readonly (readonly Tool[])[] = [];
  let all: readonly Tool[] = [];
  return () => {
    const now = lists.map((list) => list());
    if (now.some((part, at) => part !== parts[at])) all = now.flat();
    parts = now;
    return all;
  };
}

/** @throws AgentLoadError for the first in the order of the file */
async function openAll(servers: readonly SharedServer[]): Promise<void> {
  const problems = await Promise.all(
    servers.map(async ({ entry, connection }) => {
      try {
        await connection.open();
        return missingTool(entry, connection);
      } catch (error) {
        return entry.problem(`the server ${error instanceof McpFailure ? error.message : 'cannot be used'}`);
      }
    }),
  );
  const first = problems.find((problem) => problem !== null);
  if (first != null) throw first;
}

function namesOf(entry: McpEntry, connection: McpConnection | undefined): readonly string[] {
  return (connection?.list.tools ?? []).map(({ name }) => name).filter((name) => entry.only?.includes(name) ?? true);
}

function missingTool(entry: McpEntry, connection: McpConnection): AgentLoadError | null {
  const names = connection.list.tools.map(({ name }) => name);
  const at = entry.only?.findIndex((name) => !names.includes(name)) ?? -1;
  const missing = entry.only?.[at];
  if (missing === undefined) return null;
  const meant = nearest(missing, names);
  const hint = meant !== null ? `did you mean ${meant}?` : names.length === 0 ? 'it has none' : `it has ${names.slice(0, MOST_NAMES).join(', ')}${names.length > MOST_NAMES ? ' …' : ''}`;
  return entry.problem(`the server has no tool ${missing}; ${hint}`, 'only', at);
}

/** The connections of one interaction. */
interface OwnServers {
  /** @throws AppError AGENT_FAILED for the first that fails; at an abort, the signal's reason; the others are then closed, without being waited for */
  open(signal: AbortSignal): Promise<void>;
  tools(): readonly Tool[];
  close(): Promise<void>;
}

/** @throws AppError AGENT_FAILED where a variable has a value that cannot be sent */
function makeOwn(servers: readonly Server[], connector: Connector, { env, logger }: AgentContext, closed: () => void): OwnServers {
  const wanted = servers.filter(({ entry }) => {
    const missing = entry.requestVariables.find((variable) => (env[variable] ?? '') === '');
    if (missing !== undefined) logger.debug(`the tools of the MCP server ${entry.name} are left out: ${missing} is not set`);
    return missing === undefined;
  });
  const made = wanted.map((server) => ({ ...server, ...connector.connect(server.entry, env, () => undefined) }));
  const close = async (): Promise<void> => {
    await Promise.all(made.map(({ connection }) => connection.close()));
    closed();
  };
  return {
    async open(signal) {
      const aborted = Promise.withResolvers<never>();
      const abort = () => aborted.reject(signal.reason);
      signal.addEventListener('abort', abort, { once: true });
      try {
        await Promise.race([aborted.promise, Promise.all(made.map(({ entry, connection }) => openOwn(entry, connection, signal)))]);
      } catch (error) {
        void close();
        throw error;
      } finally {
        signal.removeEventListener('abort', abort);
      }
    },
    tools: () => made.flatMap(({ catalog, connection, log }) => catalog.tools(connection.list, connection, log)),
    close,
  };
}

/** @throws AppError AGENT_FAILED; after an abort, the signal's reason */
async function openOwn(entry: McpEntry, connection: McpConnection, signal: AbortSignal): Promise<void> {
  try {
    await connection.open(signal);
  } catch (cause) {
    signal.throwIfAborted();
    throw new AppError('AGENT_FAILED', { message: `The MCP server ${entry.name} could not be reached.` }, { cause });
  }
}
