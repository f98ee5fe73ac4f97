// The shapes of answers, for /openapi.json.
import { z } from 'zod';
import { SCOPES } from '../access/scopes.ts';

export const modelSchema = z.object({ model_id: z.string(), provider: z.string() });
export const usageSchema = z.object({
  input_tokens: z.int(),
  output_tokens: z.int(),
  total_tokens: z.int(),
  partial: z.literal(true).optional().describe('A model call was cut and is not counted.'),
  by_agent: z
    .array(z.object({ agent: z.string(), model: modelSchema, input_tokens: z.int(), output_tokens: z.int(), total_tokens: z.int() }))
    .optional()
    .describe('Where more than one agent asked a model.'),
});
const toolCallSchema = z.object({
  name: z.string(),
  duration_ms: z.number(),
  arguments: z.unknown().optional().describe('With `verbose`.'),
  result: z.string().optional().describe('With `verbose`; cut at 32 KiB.'),
  truncated: z.literal(true).optional(),
});

export const contentSchema = z.object({
  content: z.string(),
  agent: z.string(),
  model: modelSchema.nullable(),
  token_usage: usageSchema.nullable(),
  finish_reason: z.string(),
  tool_calls: z.array(toolCallSchema),
});

export const chatAnswerSchema = z.object({
  response: z.string(),
  session_id: z.string(),
  interaction_id: z.uuid(),
  content: contentSchema,
  timing: z.object({ queue_ms: z.number(), time_to_first_token_ms: z.number().nullable(), total_ms: z.number() }),
});

export const interactionSchema = z.object({
  interaction_id: z.uuid(),
  session_id: z.string(),
  status: z.enum(['queued', 'running', 'success', 'error', 'cancelled', 'timeout']),
  created_at: z.iso.datetime(),
  started_at: z.iso.datetime().nullable(),
  ended_at: z.iso.datetime().nullable(),
  result: contentSchema.nullable(),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
});

export const sessionSchema = z.object({
  session_id: z.string(),
  user_id: z.string(),
  items: z.array(z.unknown()).describe('Items of the OpenAI Agents protocol.'),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
});

export const problemSchema = z.object({
  type: z.literal('about:blank'),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string(),
  request_id: z.string(),
  interaction_id: z.uuid().optional().describe('Of the interaction that ended with it, as in the logs.'),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});

export const healthSchema = z.object({ status: z.literal('healthy'), agent: z.string() });

const checkSchema = z.enum(['ok', 'down', 'off']);
export const readySchema = z.object({
  status: z.enum(['ready', 'degraded', 'draining', 'no_workers']),
  checks: z.object({ workers: checkSchema, token_store: checkSchema, log_database: checkSchema, model: checkSchema }),
  model: modelSchema.nullable(),
});

const mcpSchema = z.object({
  name: z.string(),
  transport: z.enum(['stdio', 'http']),
  per_interaction: z.boolean().describe("Each interaction has a connection of its own, with its caller's variables."),
});

export const statusSchema = z.object({
  agent_name: z.string(),
  status: z.enum(['running', 'restarting', 'shutting_down']),
  is_shutting_down: z.boolean(),
  uptime: z.number().describe('Seconds.'),
  active_requests: z.int(),
  queued_requests: z.int(),
  generation: z.int(),
  version: z.string(),
  node: z.string(),
  model: modelSchema.nullable(),
  workers: z.array(
    z.object({
      id: z.int(),
      generation: z.int(),
      state: z.enum(['booting', 'ready', 'suspect', 'tainted', 'draining', 'lost']),
      active: z.int(),
      served: z.int(),
      heap_mb: z.number(),
      event_loop_lag_ms: z.number(),
    }),
  ),
  mcps: z.array(
    mcpSchema.extend({
      tools: z.int().nullable().describe('How many; null where only an interaction can list them.'),
      workers: z.object({ connected: z.int(), connecting: z.int(), down: z.int() }),
      error: z.string().nullable().describe('Why a worker has lost it.'),
    }),
  ),
  logs: z.object({
    enabled: z.boolean(),
    backend: z.enum(['embedded', 'postgresql']).nullable(),
    connected: z.boolean(),
    spooled: z.int().describe('records on their way to the database'),
    spool_bytes: z.int(),
    lost: z.int().describe('records that nothing is left of, since the start'),
    dead_letters: z.int().describe('records that the database does not take'),
  }),
  store: z.object({ backend: z.enum(['embedded', 'redis']), connected: z.boolean() }),
  last_reload: z.object({ ok: z.boolean(), at: z.iso.datetime(), error: z.string().nullable().describe('Why it failed; the version before it serves on.') }).nullable(),
});

export const initializedSchema = z.object({ message: z.string(), initialized: z.literal(true), generation: z.int() });

export const restartedSchema = z.object({
  message: z.string(),
  agent: z.string(),
  generation: z.int(),
  remaining_requests: z.int().describe('Interactions that older generations still have.'),
  ms: z.number(),
  needs_restart: z.array(z.string()).describe('Variables that have changed and that only a new start of the process takes over.'),
});

export const killedSchema = z.object({ message: z.string(), agent: z.string() });

export const agentInfoSchema = z.object({
  agent_name: z.string(),
  description: z.string(),
  framework: z.enum(['declarative', 'openai-agents', 'generator']),
  model: modelSchema.nullable(),
  tools: z.array(z.object({ name: z.string(), description: z.string() })),
  mcps: z.array(mcpSchema.extend({ tools: z.array(z.string()) })),
  agents: z.array(z.string()).describe('Others that it uses.'),
  prompts: z.int(),
  initialized: z.boolean(),
  generation: z.int(),
  workers: z.int(),
  auth_enabled: z.boolean(),
  request_isolation: z.literal(true),
  limits: z.record(z.string(), z.number()),
  version: z.string(),
});

export const promptsSchema = z.object({ total_prompts: z.int(), prompts: z.array(z.object({ name: z.string(), prompt: z.string() })) });

export const linksSchema = z.object({ name: z.string(), version: z.string(), agent: z.string(), links: z.record(z.string(), z.string()) });

const tokenSchema = z.object({
  id: z.string(),
  name: z.string().nullable(),
  user_id: z.string().nullable().describe("null: a service's, which says with each request whom it is for."),
  scopes: z.array(z.enum(SCOPES)),
  created_at: z.iso.datetime(),
  expires_at: z.iso.datetime().nullable(),
});

export const newTokenSchema = tokenSchema.extend({ token: z.string().describe('Shown this once: only its hash is kept.') });

export const tokensSchema = z.object({
  total: z.int(),
  tokens: z.array(tokenSchema.extend({ last_used_at: z.iso.datetime().nullable(), use_count: z.int() })),
});
