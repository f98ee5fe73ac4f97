// A tool's parameters: a JSON Schema, or a schema of zod 4 or any other library that speaks Standard Schema, as the model and the call need them.
import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';

interface ToolParameters {
  /** What the model is told. */
  readonly schema: Readonly<Record<string, unknown>>;
  /** The arguments as the tool takes them. Throws, or rejects with, an Error that says what is wrong with them. */
  readonly validate: (args: unknown) => unknown;
}

/** https://standardschema.dev, with the JSON Schema that its second part adds. */
interface StandardSchema {
  readonly '~standard': {
    validate(value: unknown): StandardResult | Promise<StandardResult>;
    readonly jsonSchema?: { input(options: { target: string }): Record<string, unknown> };
  };
}

type StandardResult = { readonly value: unknown; readonly issues?: undefined } | { readonly issues: readonly StandardIssue[] };

interface StandardIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[];
}

/** Its messages would go to the console. */
const ajv = new Ajv2020({ strict: false, allErrors: true, logger: false });
const MOST_PROBLEMS = 5;

/**
 * Compiled once, when the agent is loaded. A `pattern` is run on what the model writes: one that a text can keep busy for minutes is the author's to avoid.
 * @throws Error that says what is wrong with the parameters
 */
export function toolParameters(parameters: unknown): ToolParameters {
  if (parameters === undefined) return fromJsonSchema({ type: 'object', properties: {} });
  if (typeof parameters !== 'object' || parameters === null || Array.isArray(parameters)) {
    throw new Error('parameters must be a JSON Schema or a zod schema');
  }
  return '~standard' in parameters ? fromStandardSchema(parameters as StandardSchema) : fromJsonSchema(parameters as Record<string, unknown>);
}

function fromJsonSchema(given: Record<string, unknown>): ToolParameters {
  const schema = objectSchema(given);
  const check = ajv.compile(schema);
  return {
    schema,
    validate(args) {
      if (check(args)) return args;
      throw invalid((check.errors ?? []).map(ajvProblem));
    },
  };
}

function fromStandardSchema(given: StandardSchema): ToolParameters {
  const standard = given['~standard'];
  if (standard.jsonSchema === undefined) {
    throw new Error('parameters cannot be told to a model as JSON Schema: use zod 4.2 or later, or a JSON Schema');
  }
  return {
    schema: objectSchema(standard.jsonSchema.input({ target: 'draft-2020-12' })),
    async validate(args) {
      const result = await standard.validate(args);
      if (result.issues === undefined) return result.value;
      throw invalid(result.issues.map((issue) => `${pathOf(issue.path ?? [])}: ${issue.message}`));
    },
  };
}

/** Without `$schema` and `$id`: the first would ask ajv for a draft by name, the second may come twice. */
function objectSchema({ $schema: _schema, $id: _id, ...schema }: Record<string, unknown>): Record<string, unknown> {
  if (schema['type'] !== undefined && schema['type'] !== 'object') throw new Error('parameters must describe an object');
  return { ...schema, type: 'object' };
}

function ajvProblem(error: ErrorObject): string {
  const extra: unknown = error.params['additionalProperty'];
  return `${pathOf(error.instancePath.split('/').slice(1))}: ${error.message ?? 'is not valid'}${typeof extra === 'string' ? ` (${extra})` : ''}`;
}

function pathOf(path: readonly (PropertyKey | { readonly key: PropertyKey })[]): string {
  return path.length === 0 ? 'arguments' : path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.');
}

function invalid(problems: readonly string[]): Error {
  return new Error(`The arguments are not valid: ${problems.slice(0, MOST_PROBLEMS).join('; ')}.`);
}
