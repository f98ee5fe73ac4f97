// What an agent's answer must look like: the form in which the model is told, and the check of what it then says.
import type { ErrorObject } from 'ajv';

export type JsonSchema = Readonly<Record<string, unknown>>;

/** As both APIs take it, each in its own place. */
export interface OutputFormat {
  readonly name: string;
  readonly schema: JsonSchema;
  /** Let the model's server hold the model to the schema, which it does for schemas of a strict form only. */
  readonly strict: boolean;
}

export interface Output {
  readonly format: OutputFormat;
  /** @returns what is wrong with an answer, in words for the model; null where it fits */
  problemOf(answer: string): string | null;
}

const MOST_PROBLEMS = 5;

/**
 * @param name the agent's
 * @throws Error that says what is wrong with the schema
 */
export async function createOutput(name: string, schema: JsonSchema): Promise<Output> {
  // Only here and where there are tools: 7 MB a worker.
  const { Ajv2020 } = await import('ajv/dist/2020.js');
  const { $schema: _schema, $id: _id, ...own } = schema;
  const check = new Ajv2020({ strict: false, allErrors: true, logger: false }).compile(own);
  return {
    format: { name: name.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, 64), schema: own, strict: isStrict(own) },
    problemOf(answer) {
      let value: unknown;
      try {
        value = JSON.parse(answer);
      } catch {
        return 'it is not JSON';
      }
      if (check(value)) return null;
      return (check.errors ?? []).slice(0, MOST_PROBLEMS).map(problem).join('; ');
    },
  };
}

function problem({ instancePath, message, params }: ErrorObject): string {
  const extra: unknown = params['additionalProperty'];
  const where = instancePath === '' ? 'the answer' : instancePath.slice(1).replaceAll('/', '.');
  return `${where} ${message ?? 'is not valid'}${typeof extra === 'string' ? ` (${extra})` : ''}`;
}

/** Whether every object in it lists all its properties as required and allows no other: https://platform.openai.com/docs/guides/structured-outputs */
function isStrict(schema: unknown): boolean {
  if (Array.isArray(schema)) return schema.every(isStrict);
  if (typeof schema !== 'object' || schema === null) return true;
  const { properties, required, additionalProperties, type } = schema as Record<string, unknown>;
  if (type === 'object' || (typeof properties === 'object' && properties !== null)) {
    const names = Object.keys((properties ?? {}) as object);
    if (additionalProperties !== false || !Array.isArray(required) || !names.every((name) => required.includes(name))) return false;
  }
  return Object.values(schema).every(isStrict);
}
