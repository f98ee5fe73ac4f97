// What an agent's answer must look like: the form in which the model is told, and the check of what it then says.
import type { ErrorObject } from 'ajv';
import type { Ajv2020 } from 'ajv/dist/2020.js';

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
/** In UTF-16 units: a problem can have a name in it that the model made up. */
const LONGEST_PROBLEM = 200;

/** What the strict form knows: https://platform.openai.com/docs/guides/structured-outputs#supported-schemas */
const STRICT_KEYWORDS: ReadonlySet<string> = new Set([
  'type', 'properties', 'required', 'additionalProperties', 'items', 'enum', 'const', 'anyOf', '$ref', '$defs', 'definitions', 'description', 'title',
  'pattern', 'format', 'multipleOf', 'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'minItems', 'maxItems',
]);

/** What is wrong with the schema itself, and where in it. */
export class SchemaError extends Error {
  readonly path: readonly string[];

  constructor(message: string, path: readonly string[] = []) {
    super(message);
    this.path = path;
  }
}

/**
 * @param name the agent's
 * @throws SchemaError
 */
export async function createOutput(name: string, schema: JsonSchema): Promise<Output> {
  // Only here and where there are tools: 7 MB a worker.
  const { Ajv2020: Ajv } = await import('ajv/dist/2020.js');
  const { $schema: _schema, $id: _id, ...own } = schema;
  // A keyword that nobody knows is misspelled: it would let every answer pass. Formats are for the model only.
  const ajv = new Ajv({ strictSchema: true, strictTypes: false, strictRequired: false, strictTuples: false, validateFormats: false, allErrors: true, logger: false });
  if (ajv.validateSchema(own) !== true) throw schemaError(ajv.errors?.[0]);
  const check = compile(ajv, own);
  return {
    format: { name: name.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, 64), schema: own, strict: !('anyOf' in own) && isStrict(own) },
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

function schemaError(error: ErrorObject | undefined): SchemaError {
  const path = error?.instancePath.split('/').slice(1) ?? [];
  const allowed: unknown = error?.params['allowedValues'];
  return new SchemaError(`${error?.message ?? 'is no JSON Schema'}${Array.isArray(allowed) ? `: ${allowed.join(', ')}` : ''}`, path);
}

function compile(ajv: Ajv2020, schema: JsonSchema): ReturnType<Ajv2020['compile']> {
  try {
    return ajv.compile(schema);
  } catch (error) {
    throw new SchemaError((error as Error).message.replace('strict mode: ', ''));
  }
}

function problem({ instancePath, message, params }: ErrorObject): string {
  const extra: unknown = params['additionalProperty'];
  const where = instancePath === '' ? 'the answer' : instancePath.slice(1).replaceAll('/', '.');
  const words = `${where} ${message ?? 'is not valid'}${typeof extra === 'string' ? ` (${extra})` : ''}`;
  return words.length <= LONGEST_PROBLEM ? words : `${words.slice(0, LONGEST_PROBLEM).toWellFormed()}…`;
}

/** Whether a model's server can hold the model to it: only known keywords, a type everywhere, and in each object every property required and no other. */
function isStrict(schema: unknown): boolean {
  if (!isSchema(schema) || !Object.keys(schema).every((keyword) => STRICT_KEYWORDS.has(keyword))) return false;
  const { type, properties = {}, required, additionalProperties, items, anyOf, $defs = {}, definitions = {} } = schema;
  if (![type, schema['$ref'], anyOf, schema['enum'], schema['const']].some((kind) => kind !== undefined)) return false;
  if (![properties, $defs, definitions].every(isSchema)) return false;
  const isObject = type === 'object' || (Array.isArray(type) && type.includes('object'));
  const names = Object.keys(properties as JsonSchema);
  if (isObject && (additionalProperties !== false || !Array.isArray(required) || !names.every((name) => required.includes(name)))) return false;
  const inner = [properties, $defs, definitions].flatMap((named) => Object.values(named as JsonSchema));
  return [...inner, ...(items === undefined ? [] : [items]), ...(Array.isArray(anyOf) ? (anyOf as unknown[]) : [])].every(isStrict);
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
