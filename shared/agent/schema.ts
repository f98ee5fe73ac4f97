// The keys of an agent's file and what each may hold.
import { z } from 'zod';
import { baseUrlProblem } from './base_url.ts';
import { requestEnvProblem } from './request_env.ts';

/** Longest silence that a setting may allow, in ms: a day. */
const LONGEST_TIMEOUT_MS = 86_400_000;

/** What the engine itself puts into a request. */
const RESERVED_PARAMS = ['model', 'input', 'messages', 'instructions', 'tools', 'stream', 'stream_options'];

const text = z.string('expected text');
const word = text.min(1, 'expected text that is not empty');
const whole = (min: number, max: number) => {
  const expected = `expected a whole number from ${min} to ${max}`;
  return z.int(expected).min(min, expected).max(max, expected);
};
const list = <T extends z.ZodType>(item: T) => z.array(item, 'expected a list');

const params = z.looseObject({
  temperature: z.number('expected a number').min(0, 'expected at least 0').max(2, 'expected at most 2').optional(),
  max_tokens: whole(1, 10_000_000).optional(),
}).check((context) => {
  for (const key of RESERVED_PARAMS.filter((name) => Object.hasOwn(context.value, name))) {
    context.issues.push({ code: 'custom', input: context.value, path: [key], message: 'the server sets this itself' });
  }
});

const model = z.strictObject({
  provider: z.enum(['openai', 'offline', 'auto'], 'expected openai, offline or auto').default('openai'),
  model_id: word.optional(),
  base_url: text.check((context) => {
    const problem = baseUrlProblem(context.value);
    if (problem !== null) context.issues.push({ code: 'custom', input: context.value, message: `expected ${problem}` });
  }).optional(),
  api: z.enum(['responses', 'chat_completions'], 'expected responses or chat_completions').default('responses'),
  params: params.default({}),
  timeout_ms: whole(1, LONGEST_TIMEOUT_MS).default(60_000),
  retries: whole(0, 10).default(2),
}, 'expected a mapping with provider and model_id');

const toolModule = z.strictObject({
  module: word,
  only: list(word).min(1, 'expected at least one name').optional(),
  timeout_ms: whole(1, LONGEST_TIMEOUT_MS).optional(),
}, 'expected a mapping with module');

const mcpServer = z.strictObject({
  command: word.optional(),
  args: list(text).default([]),
  env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'expected a name of a variable'), text, 'expected a mapping of names to texts').default({}),
  cwd: word.optional(),
  url: word.optional(),
  headers: z.record(z.string(), text, 'expected a mapping of names to texts').default({}),
  only: list(word).min(1, 'expected at least one name').optional(),
  timeout_ms: whole(1, LONGEST_TIMEOUT_MS).default(30_000),
}, 'expected a mapping with command or url').check((context) => {
  const { command, url } = context.value;
  const problem = (message: string, ...path: string[]) => void context.issues.push({ code: 'custom', input: context.value, path, message });
  if ((command === undefined) === (url === undefined)) problem('expected either command (stdio) or url (streamable HTTP)');
  for (const key of url === undefined ? (['headers'] as const) : (['env'] as const)) {
    if (Object.keys(context.value[key]).length > 0) problem(`belongs to a server with ${url === undefined ? 'a url' : 'a command'}`, key);
  }
  if (url !== undefined && context.value.args.length > 0) problem('belongs to a server with a command', 'args');
  if (url !== undefined && context.value.cwd !== undefined) problem('belongs to a server with a command', 'cwd');
});

/** Tools are named `<server>__<tool>`: a name in which that __ could begin elsewhere would make two tools of one name. */
const mcpName = z.string().regex(/^[A-Za-z0-9](?:[A-Za-z0-9-]|_(?=[A-Za-z0-9-])){0,31}$/, 'expected a name of letters, digits, - and single _, at most 32');

const mcps = z.record(mcpName, mcpServer, 'expected a mapping of names to servers');

const usedAgent = z.strictObject({
  agent: word,
  use: z.enum(['tool', 'handoff'], 'expected tool or handoff'),
  description: word.optional(),
}, 'expected a mapping with agent and use');

const outputSchema = z.record(z.string(), z.unknown(), 'expected a JSON Schema of an object').check((context) => {
  if (context.value['type'] === 'object') return;
  context.issues.push({ code: 'custom', input: context.value, path: ['type'], message: 'expected object: the APIs take no other schema of an answer' });
});

const prompt = z.strictObject({ name: word, prompt: word }, 'expected a mapping with name and prompt');

const environment = list(text.regex(/^[A-Za-z_][A-Za-z0-9_]*=[^\0]*$/, 'expected NAME=value')).check((context) => {
  const names = context.value.map((entry) => entry.slice(0, entry.indexOf('=')));
  const twice = names.findIndex((name, index) => names.indexOf(name) !== index);
  if (twice !== -1) context.issues.push({ code: 'custom', input: context.value, path: [twice], message: `${names[twice]} is set twice` });
});

const requestEnv = list(text.check((context) => {
  const problem = requestEnvProblem(context.value);
  if (problem !== null) context.issues.push({ code: 'custom', input: context.value, message: problem });
})).transform((names) => [...new Set(names)]);

const maxTurns = whole(1, 1_000);
const memory = z.strictObject({ max_items: whole(0, 2_000).default(200) }, 'expected a mapping with max_items').default({ max_items: 200 });

/** The keys that every kind of agent can have. */
const common = {
  name: text.regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/, 'expected a name of letters, digits, _ . and -').optional(),
  description: text.default(''),
  prompts: list(prompt).default([]),
  environment: environment.default([]),
  request_env: requestEnv.default([]),
  allow_reinitialize: z.boolean('expected true or false').default(false),
  port: whole(0, 65_535).nullable().default(null),
  tags: list(word).default([]),
  smoke_test: text.min(1, 'expected a message that is not empty').max(1000, 'expected at most 1000 characters').optional(),
};

export const declarativeSchema = z.strictObject({
  ...common,
  system_prompt: text.default(''),
  model,
  max_turns: maxTurns.default(10),
  tools: list(toolModule).default([]),
  memory,
  mcps: mcps.default({}),
  agents: list(usedAgent).default([]),
  output_schema: outputSchema.optional(),
}, 'expected a mapping of keys such as name, system_prompt and model');

export const generatorSchema = z.strictObject({
  ...common,
  chat: z.custom<GeneratorChat>((value) => typeof value === 'function', 'expected a function'),
});

/** The exports that a module may have beside an Agent of @openai/agents. */
export const sdkSchema = z.strictObject({
  description: common.description,
  prompts: common.prompts,
  environment: common.environment,
  request_env: common.request_env,
  allow_reinitialize: common.allow_reinitialize,
  port: common.port,
  tags: common.tags,
  smoke_test: common.smoke_test,
  max_turns: maxTurns.optional(),
  memory,
});

export type DefinitionSchema = typeof declarativeSchema | typeof generatorSchema | typeof sdkSchema;
export type DeclarativeDefinition = z.output<typeof declarativeSchema>;
export type McpServerDefinition = DeclarativeDefinition['mcps'][string];
export type ModelDefinition = DeclarativeDefinition['model'];
export type GeneratorDefinition = z.output<typeof generatorSchema>;
/** What it returns is checked when it runs. */
type GeneratorChat = (input: unknown, context: unknown) => unknown;

/** The keys that may stand at a path of a definition, for the hint at a key that may not. */
export function knownKeys(schema: DefinitionSchema, path: readonly PropertyKey[]): readonly string[] {
  const nested: Readonly<Record<string, readonly string[]>> = {
    model: Object.keys(model.shape),
    tools: Object.keys(toolModule.shape),
    prompts: Object.keys(prompt.shape),
    mcps: Object.keys(mcpServer.shape),
    agents: Object.keys(usedAgent.shape),
    memory: ['max_items'],
  };
  return path.length === 0 ? Object.keys(schema.shape) : (nested[String(path[0])] ?? []);
}
