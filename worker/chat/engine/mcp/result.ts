// What a tool of an MCP server answered, as a text that a model can read.
import type { CallToolResult } from '@modelcontextprotocol/client';

/** Most UTF-16 units of a result. */
const LARGEST_RESULT = 1024 * 1024;

/** @throws Error with the server's words where the tool says that it failed */
export function textOfResult(result: CallToolResult): string {
  const parts = result.content.map(textOfPart);
  const text = parts.length === 0 && result.structuredContent !== undefined ? JSON.stringify(result.structuredContent) : parts.join('\n');
  const cut = text.length <= LARGEST_RESULT ? text : `${text.slice(0, LARGEST_RESULT).toWellFormed()}\n[cut: ${text.length - LARGEST_RESULT} more characters]`;
  if (result.isError === true) throw new Error(cut === '' ? 'The tool failed and said no more.' : cut);
  return cut;
}

type Part = CallToolResult['content'][number];

function textOfPart(part: Part): string {
  switch (part.type) {
    case 'text':
      return part.text;
    case 'image':
    case 'audio':
      return `[${part.type}: ${part.mimeType}, ${bytesOf(part.data)} bytes]`;
    case 'resource':
      if ('text' in part.resource) return part.resource.text;
      return `[resource: ${part.resource.uri}, ${part.resource.mimeType ?? 'unknown type'}, ${bytesOf(part.resource.blob)} bytes]`;
    case 'resource_link':
      return `[resource: ${part.uri}${part.description === undefined ? '' : `, ${part.description}`}]`;
    default:
      part satisfies never;
      return '';
  }
}

function bytesOf(base64: string): number {
  return Math.floor((base64.replace(/=+$/, '').length * 3) / 4);
}
