// Variables of an agent: what `environment` sets, and what `{{NAME}}` in its prompt stands for.
import type { Environment } from '../engine/model.ts';

const PLACEHOLDER = /\{\{[ \t]*([A-Z][A-Z0-9_]{0,63})[ \t]*\}\}/g;

/** `NAME=value` entries as an object. The schema has checked their form; the last of two with one name would win, so it refuses those, too. */
export function parseEnvironment(entries: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(entries.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]));
}

/**
 * A text with `{{NAME}}` filled from an environment. A variable that is not set is an empty text; values are not filled again, and what does not look
 * like a variable, such as `{{ user.name }}`, stays as it is.
 */
export function compileTemplate(text: string): (env: Environment) => string {
  if (text.search(PLACEHOLDER) === -1) return () => text;
  return (env) => text.replaceAll(PLACEHOLDER, (_all, name: string) => env[name] ?? '');
}
