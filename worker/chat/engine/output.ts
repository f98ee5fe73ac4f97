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
/** In UTF-16 units: a problem can have a name in it that the model made up. */
const LONGEST_PROBLEM = 200;

/** What the strict form knows: https://platform.openai.com/docs/guides/structured-outputs#supported-schemas */
const STRICT_KEYWORDS: ReadonlySet<string> = new Set([
  'type', 'properties', 'required', 'additionalProperties', 'items', 'enum', 'const', 'anyOf', '$ref', '$defs', 'definitions', 'description', 'title',
  'pattern', 'format', 'multipleOf', 'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'minItems', 'maxItems',
]);

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
