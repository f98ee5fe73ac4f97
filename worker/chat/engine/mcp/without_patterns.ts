// Takes the regular expressions out of a schema that a server has sent.

/** Members whose members are named by the schema's author, not keywords. */
const NAMED: ReadonlySet<string> = new Set(['properties', '$defs', 'definitions', 'dependentSchemas']);
/** Members that hold values, not schemas. */
const VALUES: ReadonlySet<string> = new Set(['const', 'enum', 'default', 'examples', 'required']);

/**
 * The same schema without `pattern`s: 40 letters and a pattern such as ^(a+)+$ hold a thread for hours, with everybody in it, and the server checks them itself.
 * What `additionalProperties` forbids then depends on names that are not looked at, so beside `patternProperties` it goes, too.
 */
export function withoutPatterns(schema: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const hasPatterns = 'patternProperties' in schema;
  const dropped = ['pattern', 'patternProperties', ...(hasPatterns ? ['additionalProperties', 'unevaluatedProperties'] : [])];
  const kept = Object.entries(schema).filter(([keyword]) => !dropped.includes(keyword));
  return Object.fromEntries(kept.map(([keyword, value]) => [keyword, VALUES.has(keyword) ? value : NAMED.has(keyword) ? named(value) : inner(value)]));
}

function named(value: unknown): unknown {
  return isObject(value) ? Object.fromEntries(Object.entries(value).map(([name, schema]) => [name, inner(schema)])) : value;
}

function inner(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inner);
  return isObject(value) ? withoutPatterns(value) : value;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
