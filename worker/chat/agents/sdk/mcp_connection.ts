// Keeps one MCP server of an SDK agent connected, through the SDK's own object: notices that it is lost, and connects it again.
import type { MCPServer } from '@openai/agents';
import { AsyncLocalStorage } from 'node:async_hooks';
import { ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { AppError } from '../../../../shared/errors.ts';
import type { McpServerState } from '../../../../shared/protocol.ts';
import { Backoff } from '../../engine/mcp/backoff.ts';
import { endProcesses, hasEnded, watchProcesses } from './mcp_processes.ts';
import { isObject } from './stream_check.ts';

/** A run tries by itself, unless somebody has just tried in vain. */
const FRESH_MS = 1000;
/** For a server of HTTP to be told that its session is over. */
const CLOSE_LIMIT_MS = 900;

export interface SdkMcpConnection {
  readonly state: McpServerState;
  /** Of the processes that live. */
  readonly pids: readonly number[];
  /** The first attempt, after which it comes back by itself. @throws what the SDK throws */
  open(): Promise<void>;
  /** Resolves when nothing of it is left, within a second. Never rejects. */
  close(): Promise<void>;
}

/**
 * Only the SDK's own classes can be watched; any other server has to be connected by the agent's code, and is taken for connected.
 * @param changed the state or the processes are others now
 */
export function createSdkMcpConnection(server: MCPServer, changed: () => void): SdkMcpConnection {
  /** Whatever an interaction begins here goes on after it, and has nothing of its environment. */
  const inOwnContext = AsyncLocalStorage.snapshot();
  const children = new Set<ChildProcess>();
  let error: string | null = null;
  let attempt: Promise<void> | null = null;
  /** The SDK's client, while it is connected. */
  let session: object | null = null;
  let ending = false;
  let failedAt = Number.NEGATIVE_INFINITY;
  let connectedAt = 0;
  const backoff = new Backoff();
  let retry: NodeJS.Timeout | undefined;

  const addChild = (child: ChildProcess): void => {
    children.add(child);
    child.once('spawn', changed);
    // After an error that is no failed start it still runs.
    for (const event of ['exit', 'error']) {
      child.once(event, () => {
        if (hasEnded(child) && children.delete(child)) changed();
      });
    }
  };
  const tryLater = (): void => {
    if (ending) return;
    clearTimeout(retry);
    retry = setTimeout(() => void tryOnce().catch(() => undefined), backoff.next());
  };
  const lose = (reason: string): void => {
    if (session === null || ending) return;
    session = null;
    error = reason;
    backoff.lost(performance.now() - connectedAt);
    tryLater();
    changed();
  };
  /** The SDK may have replaced the client by itself (streamable HTTP). */
  const adopt = (): void => {
    const current = sessionOf(server);
    if (!isObject(current) || current === session) return;
    session = current;
    error = null;
    connectedAt = performance.now();
    const child = childOf(server);
    if (child !== null && !children.has(child)) addChild(child);
    const before = current['onclose'];
    // The client's own callback "for when the connection is closed for any reason".
    Reflect.set(current, 'onclose', () => {
      if (typeof before === 'function') before.call(current);
      if (sessionOf(server) === current) lose('went away');
    });
  };
  const connect = async (): Promise<void> => {
    try {
      await closeWithin(server);
      if (ending) throw new Error('The server is closing.');
      await watchProcesses(addChild, () => server.connect());
      adopt();
    } catch (cause) {
      error = error ?? 'could not be connected';
      failedAt = performance.now();
      void endProcesses([...children]);
      if (connectedAt > 0) tryLater();
      throw cause;
    }
  };
  /** Joins an attempt that is under way. */
  const tryOnce = (): Promise<void> => {
    if (attempt !== null) return attempt;
    clearTimeout(retry);
    attempt = inOwnContext(() => Promise.resolve().then(connect)).finally(() => {
      attempt = null;
      changed();
    });
    changed();
    return attempt;
  };
  /** @throws AppError AGENT_FAILED */
  const ensure = async (): Promise<void> => {
    if (session !== null && attempt === null) return adopt();
    const down = (cause?: unknown) => new AppError('AGENT_FAILED', { message: `The MCP server ${server.name} of the agent is down.` }, { cause });
    if (ending || (attempt === null && performance.now() - failedAt < FRESH_MS)) throw down();
    await tryOnce().catch((cause: unknown) => Promise.reject(down(cause)));
  };

  return {
    get state(): McpServerState {
      const { name } = server;
      if (session !== null || !isWatchable(server)) return { name, state: 'connected', error: null };
      return { name, state: attempt === null ? 'down' : 'connecting', error };
    },
    get pids() {
      return [...children].flatMap((child) => (hasEnded(child) || child.pid === undefined ? [] : [child.pid]));
    },
    async open() {
      if (!isWatchable(server)) return;
      adopt();
      if (session === null) await tryOnce();
      watchCalls(server, ensure, lose);
      changed();
    },
    async close() {
      ending = true;
      clearTimeout(retry);
      await Promise.all([closeWithin(server), endProcesses([...children])]);
    },
  };
}

/** A lost one comes back where its tools are listed, which a run begins with, and where one is called. */
function watchCalls(server: MCPServer, ensure: () => Promise<void>, lose: (reason: string) => void): void {
  const listTools = server.listTools.bind(server);
  server.listTools = async () => {
    await ensure();
    try {
      return await listTools();
    } catch (error) {
      if (isAnswer(error)) throw error;
      // To list twice does no harm. Another run may have lost the connection, and made a new one, meanwhile.
      if (!isStale(error)) lose('went away');
      await ensure();
      return listTools();
    }
  };
  for (const name of ['callTool', 'callToolResult'] as const) {
    const call: unknown = Reflect.get(server, name);
    if (typeof call !== 'function') continue;
    Reflect.set(server, name, async (...args: readonly unknown[]): Promise<unknown> => {
      // A list that the SDK keeps is used without asking for it again.
      await ensure();
      try {
        return await Reflect.apply(call, server, args);
      } catch (error) {
        // It is never made twice. Whether the server is gone shows when its tools are listed next, anew.
        if (!isAnswer(error)) await server.invalidateToolsCache().catch(() => undefined);
        throw error;
      }
    });
  }
}

/** Whether it is the server's own: an error of JSON-RPC, which a lost connection does not bring. */
function isAnswer(error: unknown): boolean {
  return error instanceof Error && (error.name === 'ProtocolError' || error.name === 'McpError');
}

/** The SDK's words where a connection was made anew in the middle of a listing. */
function isStale(error: unknown): boolean {
  return error instanceof Error && /became stale|lifecycle operation/.test(error.message);
}

async function closeWithin(server: MCPServer): Promise<void> {
  const closed = Promise.resolve().then(() => server.close()).catch(() => undefined);
  await Promise.race([closed, delay(CLOSE_LIMIT_MS, undefined, { ref: false })]);
}

/** What the SDK's own classes keep is in an object below them. */
function innerOf(server: MCPServer): Readonly<Record<string, unknown>> {
  return 'underlying' in server && isObject(server.underlying) ? server.underlying : {};
}

function isWatchable(server: MCPServer): boolean {
  return innerOf(server)['session'] !== undefined;
}

function sessionOf(server: MCPServer): unknown {
  return innerOf(server)['session'];
}

/** Of a server that the agent's code has connected; it keeps it where nobody but the transport looks. */
function childOf(server: MCPServer): ChildProcess | null {
  const { transport } = innerOf(server);
  return isObject(transport) && transport['_process'] instanceof ChildProcess ? transport['_process'] : null;
}
