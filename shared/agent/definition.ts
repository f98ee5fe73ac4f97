// Reads an agent that is a definition in a text file: syntax, keys and values, all checked before any worker is started.
import { extname } from 'node:path';
import { originOf, type Lines } from './origin.ts';
import { declarativeSchema, type DeclarativeDefinition } from './schema.ts';
import { readJson, readYaml } from './source.ts';
import { validate } from './validate.ts';

/** A definition with its defaults; it can be sent to another thread. */
export interface ReadDefinition {
  readonly value: DeclarativeDefinition;
  readonly lines: Lines;
}

/** @throws AgentLoadError with the line of what is wrong */
export function readDefinition(text: string, file: string): ReadDefinition {
  const { value, lines } = extname(file) === '.json' ? readJson(text, file) : readYaml(text, file);
  return { value: validate(declarativeSchema, value, originOf(file, lines)), lines };
}
