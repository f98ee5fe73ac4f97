// The plainest value that fits a JSON Schema, which the offline model answers where an agent asks for a form.
import type { JsonSchema } from './output.ts';

const DEEPEST = 16;
/** Values in one sample: a few nested lists of hundreds would otherwise take minutes. */
const MOST_VALUES = 10_000;

interface Sampling {
  readonly root: JsonSchema;
  left: number;
}

/** Always the same for the same schema. What only a pattern or a combination of schemas could tell is guessed. */
export function sampleOf(schema: JsonSchema): unknown {
  return valueOf(schema, { root: schema, left: MOST_VALUES }, 0);
}

function valueOf(schema: JsonSchema, sampling: Sampling, depth: number): unknown {
  sampling.left -= 1;
  if (depth > DEEPEST || sampling.left < 0) return null;
  const { examples, enum: choices, items, properties, minItems, minLength, minimum } = schema;
  if ('default' in schema) return schema['default'];
  if ('const' in schema) return schema['const'];
  if (Array.isArray(examples) && examples.length > 0) return examples[0] as unknown;
  if (Array.isArray(choices) && choices.length > 0) return choices[0] as unknown;
  const inner = referred(schema['$ref'], sampling.root) ?? firstOf(schema['anyOf']) ?? firstOf(schema['oneOf']) ?? firstOf(schema['allOf']);
  if (inner !== null) return valueOf(inner, sampling, depth + 1);
  switch (typeOf(schema)) {
    case 'object':
      return objectOf(asSchema(properties) ?? {}, schema['required'], sampling, depth);
    case 'array':
      return Array.from({ length: Math.min(count(minItems), Math.max(sampling.left, 0)) }, () => valueOf(asSchema(items) ?? {}, sampling, depth + 1));
    case 'number':
    case 'integer':
      return typeof minimum === 'number' ? Math.ceil(minimum) : 0;
    case 'boolean':
      return false;
    case 'null':
      return null;
    default:
      return 'offline'.padEnd(count(minLength), '.');
  }
}

/** With every property, the ones that may be left out too, where the required ones are not told. */
function objectOf(properties: JsonSchema, required: unknown, sampling: Sampling, depth: number): Record<string, unknown> {
  const names = Array.isArray(required) ? required.map(String) : Object.keys(properties);
  return Object.fromEntries(names.map((name) => [name, valueOf(asSchema(properties[name]) ?? {}, sampling, depth + 1)]));
}

function typeOf({ type, properties, items }: JsonSchema): unknown {
  if (Array.isArray(type)) return type[0];
  return type ?? (properties !== undefined ? 'object' : items !== undefined ? 'array' : 'string');
}

/** `#/$defs/Name` and the like. */
function referred(reference: unknown, root: JsonSchema): JsonSchema | null {
  if (typeof reference !== 'string' || !reference.startsWith('#')) return null;
  const steps = reference.split('/').slice(1).map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  return steps.reduce<JsonSchema | null>((at, step) => asSchema(at?.[step]), root);
}

function firstOf(list: unknown): JsonSchema | null {
  return Array.isArray(list) ? asSchema(list[0]) : null;
}

function asSchema(value: unknown): JsonSchema | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonSchema) : null;
}

function count(value: unknown): number {
  return typeof value === 'number' && value > 0 ? Math.min(Math.ceil(value), 1000) : 0;
}
