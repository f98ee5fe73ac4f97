// The tools that an MCP server lists, read page by page, as many and as large as a worker can hold.
import type { Client, RequestOptions } from '@modelcontextprotocol/client';

export interface ListedTool {
  /** The server's own name of it. */
  readonly name: string;
  readonly description: string;
  /** JSON Schema of an object. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

export interface ToolList {
  readonly tools: readonly ListedTool[];
  /** What was left out, and why; for the log. */
  readonly notes: readonly string[];
}

const MOST_TOOLS = 512;
const MOST_PAGES = 64;
const LONGEST_DESCRIPTION = 4096;
/** Most UTF-16 units of one schema as JSON, and of all together. */
const LARGEST_SCHEMA = 64 * 1024;
const LARGEST_SCHEMAS = 2 * 1024 * 1024;

/** @throws whatever the request does */
export async function listTools(client: Client, options: RequestOptions): Promise<ToolList> {
  if (client.getServerCapabilities()?.tools === undefined) return { tools: [], notes: ['it offers no tools'] };
  const tools = new Map<string, ListedTool>();
  const notes: string[] = [];
  let schemaUnits = 0;
  let cursor: string | undefined;
  for (let page = 1; page <= MOST_PAGES; page += 1) {
    const params = cursor === undefined ? {} : { cursor };
    const listed = await client.request({ method: 'tools/list', params }, options);
    for (const { name, title, description, inputSchema } of listed.tools) {
      const units = JSON.stringify(inputSchema).length;
      if (tools.has(name)) notes.push(`it lists the tool ${name} twice; the second is left out`);
      else if (units > LARGEST_SCHEMA) notes.push(`the tool ${name} is left out: the schema of its arguments is too large`);
      else if (tools.size === MOST_TOOLS || schemaUnits + units > LARGEST_SCHEMAS) return { tools: [...tools.values()], notes: [...notes, tooMany(tools.size)] };
      else {
        schemaUnits += units;
        tools.set(name, { name, description: cut(description ?? title ?? ''), parameters: parametersOf(inputSchema) });
      }
    }
    if (listed.nextCursor === undefined || listed.nextCursor === cursor) return { tools: [...tools.values()], notes };
    cursor = listed.nextCursor;
  }
  return { tools: [...tools.values()], notes: [...notes, tooMany(tools.size)] };
}

const tooMany = (count: number) => `it lists more than an agent can be given; the first ${count} tools are used`;

/** `$schema` names a draft and `$id` a place; models need neither. */
function parametersOf({ $schema: _schema, $id: _id, ...schema }: Readonly<Record<string, unknown>>): ListedTool['parameters'] {
  return { ...schema, type: 'object' };
}

function cut(text: string): string {
  return text.length <= LONGEST_DESCRIPTION ? text : `${text.slice(0, LONGEST_DESCRIPTION - 1).toWellFormed()}…`;
}
