// The tools of an MCP server as the engine runs them: named for the model, their arguments checked, their results made text.
import type { AgentContext } from '../../agents/agent.ts';
import { toolParameters } from '../../agents/tool_schema.ts';
import type { Tool } from '../tools.ts';
import type { McpConnection } from './connection.ts';
import type { McpEntry } from './entry.ts';
import { McpFailure } from './failure.ts';
import { textOfResult } from './result.ts';
import type { ServerLog } from './server_log.ts';
import type { ListedTool, ToolList } from './tool_list.ts';
import { toolNames } from './tool_names.ts';
import { withoutPatterns } from './without_patterns.ts';

type Validate = ReturnType<typeof toolParameters>['validate'];

/** What it keeps of a server, however many connections it has had. */
export interface Catalog {
  /** Those that the agent is given; what was left out is logged once. */
  tools(list: ToolList, connection: McpConnection, log: ServerLog): readonly Tool[];
}

/** Schemas of one server that are compiled in the life of a worker. ajv lets go of none, and a server may list another to each caller. */
const MOST_VALIDATORS = 1024;
const MOST_NOTES = 100;

export function createCatalog(entry: McpEntry): Catalog {
  const validators = new Map<string, Validate>();
  const noted = new Set<string>();
  const note = (text: string, log: ServerLog): void => {
    if (noted.has(text) || noted.size === MOST_NOTES) return;
    noted.add(text);
    log.warn(text);
  };

  /** Compiled at its first call: most tools of a server are never called, and a caller's own connection would compile all of them for each interaction. */
  const validatorOf = ({ name, parameters }: ListedTool, log: ServerLog): Validate => {
    const text = JSON.stringify(parameters);
    const known = validators.get(text);
    if (known !== undefined) return known;
    if (validators.size === MOST_VALIDATORS) {
      note('it lists ever new schemas of arguments; from now on the server itself checks them', log);
      return (args) => args;
    }
    const made = compile(parameters, () => note(`the schema of the arguments of ${name} cannot be used; the server itself checks them`, log));
    validators.set(text, made);
    return made;
  };

  return {
    tools(list, connection, log) {
      for (const text of list.notes) note(text, log);
      for (const wanted of entry.only ?? []) if (!list.tools.some(({ name }) => name === wanted)) note(`it has no tool ${wanted}, which only names`, log);
      const given = list.tools.filter(({ name }) => entry.only?.includes(name) ?? true);
      const names = toolNames(entry.name, given.map(({ name }) => name));
      return given.map((tool): Tool => {
        let validate: Validate | undefined;
        return {
          name: names.get(tool.name) ?? tool.name,
          description: tool.description,
          parameters: tool.parameters,
          timeoutMs: entry.timeoutMs,
          validate: (args) => (validate ??= validatorOf(tool, log))(args),
          execute: (args, context) => execute(entry, tool, args, connection, context),
        };
      });
    },
  };
}

function compile(parameters: ListedTool['parameters'], unusable: () => void): Validate {
  try {
    return toolParameters(withoutPatterns(parameters)).validate;
  } catch {
    unusable();
    return (args) => args;
  }
}

/** @throws Error whose message the model can read */
async function execute(entry: McpEntry, tool: ListedTool, args: unknown, connection: McpConnection, { signal }: AgentContext): Promise<string> {
  if (typeof args !== 'object' || args === null || Array.isArray(args)) throw new Error('The arguments are not valid: expected an object.');
  try {
    return textOfResult(await connection.call(tool.name, { ...args }, signal, entry.timeoutMs));
  } catch (error) {
    throw error instanceof McpFailure ? new Error(error.sentence(entry.name)) : error;
  }
}
