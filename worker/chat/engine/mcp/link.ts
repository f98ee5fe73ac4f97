// One connection to an MCP server, from its handshake to its end.
import { Client, type CallToolResult, type Transport } from '@modelcontextprotocol/client';
import { McpFailure, toFailure } from './failure.ts';
import { listTools, type ToolList } from './tool_list.ts';

/** What a transport of ours adds to one of the client's. */
export interface LinkTransport extends Transport {
  /** How it came to its end, as a McpFailure says it; null where it does not know. */
  readonly end: string | null;
  /** Tells the server that nobody comes back, where there is a way to say so. Never rejects. */
  leave?(): Promise<void>;
}

export interface LinkWatch {
  /** It ended by itself. */
  closed(reason: string): void;
  toolsChanged(): void;
}

export interface Link {
  /** @throws McpFailure; after an abort, anything */
  list(signal: AbortSignal): Promise<ToolList>;
  /** @throws McpFailure; after an abort, anything */
  call(tool: string, args: Record<string, unknown>, signal: AbortSignal, timeoutMs: number): Promise<CallToolResult>;
  /** @throws McpFailure when there is no answer within `timeoutMs` */
  ping(timeoutMs: number): Promise<void>;
  /** Resolves when nothing of it is left. Never rejects. @param politely whether the server is worth a word */
  close(politely: boolean): Promise<void>;
}

export interface OpenedLink {
  readonly link: Link;
  readonly list: ToolList;
}

/** The version is that of our part of the conversation. */
const CLIENT = { name: 'oai-agent-server', version: '1' };
/** The signal ends a call; the client's own limit only must not come before it. */
const AFTER_SIGNAL_MS = 5000;

/**
 * Shakes hands and lists the tools.
 * @param limitMs for both together
 * @throws McpFailure, and then nothing is left of it; after an abort, the signal's reason
 */
export async function openLink(transport: LinkTransport, watch: LinkWatch, limitMs: number, signal: AbortSignal): Promise<OpenedLink> {
  const client = new Client(CLIENT, { capabilities: {} });
  let isOpen = false;
  Object.assign(client, {
    onclose: () => {
      if (isOpen) watch.closed(transport.end ?? 'closed the connection');
      isOpen = false;
    },
  });
  client.setNotificationHandler('notifications/tools/list_changed', () => watch.toolsChanged());
  const failureOf = (error: unknown, otherwise?: string) =>
    transport.end === null ? toFailure(error, transport.sessionId !== undefined, otherwise) : new McpFailure('gone', transport.end, { cause: error });
  const timer = new AbortController();
  const timeout = setTimeout(() => timer.abort(), limitMs);
  try {
    const options = { signal: AbortSignal.any([signal, timer.signal]), timeout: limitMs + AFTER_SIGNAL_MS };
    await client.connect(transport, options);
    const list = await listTools(client, options);
    isOpen = true;
    return { link: createLink(client, transport, failureOf, () => (isOpen = false)), list };
  } catch (error) {
    const failure = failureOf(error, 'could not be reached');
    await transport.close();
    signal.throwIfAborted();
    if (timer.signal.aborted) throw new McpFailure('gone', `did not answer within ${limitMs / 1000} s`);
    // Its own words could be about anything; those of a tool are for the model, these for a status page.
    throw failure.kind === 'said' ? new McpFailure('refused', 'answered the handshake with an error', { cause: error }) : failure;
  } finally {
    clearTimeout(timeout);
  }
}

function createLink(client: Client, transport: LinkTransport, failureOf: (error: unknown) => McpFailure, closing: () => void): Link {
  const within = async <T>(work: Promise<T>, signal?: AbortSignal): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      throw signal?.aborted === true ? error : failureOf(error);
    }
  };
  return {
    list: (signal) => within(listTools(client, { signal }), signal),
    call: (tool, args, signal, timeoutMs) =>
      within(client.request({ method: 'tools/call', params: { name: tool, arguments: args } }, { signal, timeout: timeoutMs + AFTER_SIGNAL_MS }), signal),
    ping: async (timeoutMs) => void (await within(client.ping({ timeout: timeoutMs }))),
    async close(politely) {
      closing();
      if (politely) await transport.leave?.();
      await client.close().catch(() => undefined);
      // The client forgets a transport that has closed; ours may still be ending its process.
      await transport.close();
    },
  };
}
