// Holds an agent's definition against its schema; what is wrong is told by key, with its line.
import type { z } from 'zod';
import { AgentLoadError } from './load_error.ts';
import { nearest } from './nearest.ts';
import type { Origin } from './origin.ts';
import { knownKeys, type DefinitionSchema } from './schema.ts';

interface Problem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly isUnknown: boolean;
}

/**
 * The definition with its defaults. A key without a value, as YAML's `prompts:` alone on a line, counts as left out.
 * @throws AgentLoadError for the first unknown key, else the first problem in the order of the file
 */
export function validate<S extends DefinitionSchema>(schema: S, definition: unknown, origin: Origin): z.output<S> {
  const result = schema.safeParse(withoutNulls(definition));
  if (result.success) return result.data as z.output<S>;
  const problems = result.error.issues.flatMap((issue) => problemsOf(issue, schema));
  const placed = problems.map((problem) => ({ ...problem, line: origin.lineOf(problem.path) }));
  // A misspelled key first: what it was meant to be is missing then, which says less.
  const first = placed.sort((a, b) => Number(b.isUnknown) - Number(a.isUnknown) || (a.line ?? 0) - (b.line ?? 0))[0];
  if (first === undefined) throw new AgentLoadError('the definition is not valid', origin.file);
  const key = keyOf(first.path);
  throw new AgentLoadError(key === '' ? first.message : `${key}: ${first.message}`, origin.file, first.line);
}

function problemsOf(issue: z.core.$ZodIssue, schema: DefinitionSchema): Problem[] {
  // The name of a member of a record, such as that of a server.
  if (issue.code === 'invalid_key') return [{ path: issue.path, message: issue.issues[0]?.message ?? issue.message, isUnknown: true }];
  if (issue.code !== 'unrecognized_keys') return [{ path: issue.path, message: issue.message, isUnknown: false }];
  const known = knownKeys(schema, issue.path);
  return issue.keys.map((key) => {
    const meant = nearest(key, known);
    const hint = meant === null ? `known are ${known.join(', ')}` : `did you mean ${keyOf([...issue.path, meant])}?`;
    return { path: [...issue.path, key], message: `unknown key; ${hint}`, isUnknown: true };
  });
}

/** `tools[0].module` */
function keyOf(path: readonly PropertyKey[]): string {
  return path.map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index === 0 ? '' : '.'}${String(part)}`)).join('');
}

function withoutNulls(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const kept = Object.entries(value).filter(([, member]) => member !== null);
  return Object.fromEntries(kept.map(([key, member]) => [key, key === 'model' || key === 'memory' ? withoutNulls(member) : member]));
}
