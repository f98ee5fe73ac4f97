// Reads an agent file in YAML or JSON, and knows the line of everything in it.
import { isMap, isNode, isSeq, LineCounter, parseDocument, type Pair } from 'yaml';
import { AgentLoadError } from './load_error.ts';
import type { Lines } from './origin.ts';

interface Source {
  readonly value: unknown;
  readonly lines: Lines;
}

/** @throws AgentLoadError for wrong syntax, keys that come twice, and tags that mean nothing here */
export function readYaml(text: string, file: string): Source {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false });
  const lineAt = (offset: number) => counter.linePos(offset).line;
  // A tab makes what is before it wrong as well.
  const problem = document.errors.find(({ code }) => code === 'TAB_AS_INDENT') ?? document.errors[0] ?? document.warnings[0];
  if (problem !== undefined) throw new AgentLoadError(yamlMessage(problem.code, problem.message, text.slice(problem.pos[0])), file, lineAt(problem.pos[0]));
  let value: unknown;
  try {
    value = document.toJS();
  } catch (error) {
    // Aliases of nothing, and more of them than any agent needs.
    throw new AgentLoadError(`not valid YAML: ${error instanceof Error ? error.message : String(error)}`, file);
  }
  const lines: Record<string, number> = {};
  addLines(document.contents, [], lineAt, lines);
  return { value, lines };
}

/** JSON is read twice: strictly for its value, then as YAML, of which it is a part, for its lines and for keys that come twice. */
export function readJson(text: string, file: string): Source {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const line = /\(line (\d+) column \d+\)/.exec(message)?.[1];
    const words = message.replace(/ at position \d+.*| in JSON.*/s, '');
    throw new AgentLoadError(`not valid JSON: ${words}`, file, line === undefined ? text.trimEnd().split('\n').length : Number(line));
  }
  return { ...readYaml(text, file), value };
}

/** @param rest the text from the fault on */
function yamlMessage(code: string, message: string, rest: string): string {
  if (code === 'DUPLICATE_KEY') return `a key that stands here already: ${/^["']?([^\s:"']+)/.exec(rest)?.[1] ?? ''}`;
  if (code === 'TAB_AS_INDENT') return 'not valid YAML: a tab, where only spaces indent';
  if (code === 'MULTIPLE_DOCS') return 'expected one document, not several separated by ---';
  return `not valid YAML: ${message}`;
}

/** Of a pair, the line of its key: the value of `tools:` may begin on the next one. */
function addLines(node: unknown, path: readonly string[], lineAt: (offset: number) => number, lines: Record<string, number>): void {
  const at = path.join('.');
  const offset = startOf(node);
  if (offset !== null) lines[at] ??= lineAt(offset);
  const entries = isMap(node) ? node.items.map((pair) => [keyOf(pair), pair] as const) : [];
  for (const [key, pair] of entries) {
    const start = startOf(pair.key);
    if (start !== null) lines[[...path, key].join('.')] = lineAt(start);
    addLines(pair.value, [...path, key], lineAt, lines);
  }
  if (isSeq(node)) node.items.forEach((item, index) => addLines(item, [...path, String(index)], lineAt, lines));
}

function keyOf(pair: Pair): string {
  return String(isNode(pair.key) && 'value' in pair.key ? pair.key.value : pair.key);
}

function startOf(node: unknown): number | null {
  return isNode(node) && node.range ? node.range[0] : null;
}
