// Tokens as a table for a person to read.
import type { UsedTokenJson } from '../../supervisor/access/token_request.ts';

const HEAD = ['ID', 'NAME', 'USER', 'SCOPES', 'CREATED', 'EXPIRES', 'LAST USED', 'USES'];
const NONE = '-';

/** @returns lines, the head first, each column as wide as its widest word */
export function tableOf(tokens: readonly UsedTokenJson[]): string[] {
  const rows = [HEAD, ...tokens.map(rowOf)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd());
}

function rowOf(token: UsedTokenJson): string[] {
  const { id, name, user_id: user, scopes, created_at: created, expires_at: expires, last_used_at: lastUsed, use_count: uses } = token;
  return [id, name ?? NONE, user ?? NONE, scopes.join(' '), shortTime(created), shortTime(expires), shortTime(lastUsed), String(uses)].map(printable);
}

/** To the second; all times are UTC. */
function shortTime(time: string | null): string {
  return time === null ? NONE : time.replace(/\.\d+Z$/, 'Z');
}

/** A server that is not ours could send what moves the cursor. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, ' ');
}
