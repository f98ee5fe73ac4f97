// MCP servers as an agent has them, without the agent: opened from entries as a file would write them, called as the engine does.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Test } from 'tap';
import { declarativeSchema } from '../../shared/agent/schema.ts';
import type { McpServerState } from '../../shared/protocol.ts';
import type { AgentContext } from '../../worker/chat/agents/agent.ts';
import { openMcpServers, type McpServers, type McpSettings } from '../../worker/chat/engine/mcp/servers.ts';
import { runTools, type Tool } from '../../worker/chat/engine/tools.ts';
import { makeContext } from './interaction.ts';
import { PROJECT } from './process.ts';
import { isAlive } from './processes.ts';
import { recordAnswer } from './recording_answer.ts';
import { waitFor } from './wait_for.ts';

export const SCRIPTED = { command: process.execPath, args: [join(PROJECT, 'test/fixtures/mcp/stdio_server.mjs')] };
export const EVERYTHING = { command: process.execPath, args: [join(PROJECT, 'node_modules/@modelcontextprotocol/server-everything/dist/index.js')] };
/** Where the file of the agent would stand. */
export const AGENT_FILE = join(PROJECT, 'test/fixtures/agents/agent.yaml');

export interface OpenedServers {
  readonly servers: McpServers;
  /** What was told last. */
  readonly states: () => readonly McpServerState[];
  readonly pids: () => readonly number[];
  /** Every state of the first server, in order. */
  readonly story: readonly string[];
}

export function mcpSettings(mcps: unknown, overrides: Partial<McpSettings> = {}): McpSettings {
  const { mcps: definitions } = declarativeSchema.parse({ model: { provider: 'offline' }, mcps });
  const origin = { file: AGENT_FILE, lineOf: (path: readonly PropertyKey[]) => path.length };
  return { prefix: null, definitions, env: baseEnv(), requestEnv: [], origin, changed: () => undefined, ...overrides };
}

/** What a worker has at least. */
export function baseEnv(): Readonly<Record<string, string>> {
  const { PATH = '', HOME = '' } = process.env;
  return { PATH, HOME };
}

/** They are closed when the test ends, and none of their processes is left. */
export async function openServers(t: Test, mcps: unknown, overrides: Partial<McpSettings> = {}): Promise<OpenedServers> {
  let states: readonly McpServerState[] = [];
  let pids: readonly number[] = [];
  const seen = new Set<number>();
  const story: string[] = [];
  const changed: McpSettings['changed'] = (nowStates, nowPids) => {
    states = nowStates;
    pids = nowPids;
    for (const pid of pids) seen.add(pid);
    const { state, error } = states[0] as McpServerState;
    const line = error === null ? state : `${state}: ${error}`;
    if (story.at(-1) !== line) story.push(line);
  };
  const servers = await openMcpServers(mcpSettings(mcps, { changed, ...overrides }));
  t.teardown(async () => {
    await servers.close();
    const left = [...seen].filter(isAlive);
    if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}`);
  });
  return { servers, states: () => states, pids: () => pids, story };
}

export interface Outcome {
  readonly content: string;
  readonly isError: boolean;
}

/** Calls a tool as the model would, through the engine; rejects as it does. */
export async function callTool(tools: readonly Tool[], name: string, args: unknown = {}, context: AgentContext = makeContext()): Promise<Outcome> {
  const answer = recordAnswer('x');
  await runTools([{ id: 'a', name, argumentsJson: JSON.stringify(args) }], new Map(tools.map((tool) => [tool.name, tool])), context, answer);
  const line = answer.log.at(-1)?.slice(`tool_result ${name} `.length) ?? '';
  return line.startsWith('error ') ? { content: line.slice('error '.length), isError: true } : { content: line, isError: false };
}

export const connected = ({ states }: OpenedServers): Promise<true> => waitFor('the connection', () => states().every(({ state }) => state === 'connected'), 30_000);

/** Lines that would go to the worker's log, each with its level; what else is written to these streams goes its way. */
export function captureLog(t: Test): string[] {
  const lines: string[] = [];
  for (const [name, level] of [['stdout', 'info'], ['stderr', 'warn']] as const) {
    const stream = process[name];
    const write = stream.write.bind(stream);
    const capture = (chunk: string | Uint8Array, ...rest: never[]): boolean => {
      if (typeof chunk !== 'string' || !chunk.startsWith('MCP server ')) return write(chunk, ...rest);
      lines.push(`${level} ${chunk.trimEnd()}`);
      return true;
    };
    Object.defineProperty(stream, 'write', { value: capture, configurable: true, writable: true });
    t.teardown(() => Object.defineProperty(stream, 'write', { value: write, configurable: true, writable: true }));
  }
  return lines;
}

/** Nobody listens there. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
