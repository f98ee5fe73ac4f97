// The names under which a model knows the tools of an MCP server.
import { createHash } from 'node:crypto';

/** What both of OpenAI's APIs take: letters, digits, _ and -. */
const LONGEST_NAME = 64;
const HASH_LENGTH = 8;

/**
 * `<server>__<tool>`, where that is a name that a tool can have. Otherwise what it cannot have becomes _, and where it then is too long, or another's
 * name, it ends with a hash of the tool's own name, so that it stays the same whatever else the server lists.
 * @param tools each once
 */
export function toolNames(server: string, tools: readonly string[]): ReadonlyMap<string, string> {
  const plain = new Map(tools.map((tool) => [tool, `${server}__${tool}`.replaceAll(/[^A-Za-z0-9_-]/g, '_')]));
  const owners = new Map<string, number>();
  for (const name of plain.values()) owners.set(name, (owners.get(name) ?? 0) + 1);
  return new Map(
    [...plain].map(([tool, name]) => {
      const isOwn = name === `${server}__${tool}` || owners.get(name) === 1;
      return [tool, isOwn && name.length <= LONGEST_NAME ? name : hashed(name, tool)];
    }),
  );
}

function hashed(name: string, tool: string): string {
  const hash = createHash('sha256').update(tool).digest('hex').slice(0, HASH_LENGTH);
  return `${name.slice(0, LONGEST_NAME - HASH_LENGTH - 1)}_${hash}`;
}
