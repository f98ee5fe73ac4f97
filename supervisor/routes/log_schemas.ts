// The shapes of what the log answers, for /openapi.json.
import { z } from 'zod';
import { LOG_STATUSES } from '../../shared/log_record.ts';
import { modelSchema, usageSchema } from './schemas.ts';

export const logRowSchema = z.object({
  interaction_id: z.uuid(),
  timestamp: z.iso.datetime().describe('When it was admitted.'),
  agent_name: z.string(),
  session_id: z.string(),
  user_id: z.string(),
  endpoint: z.string().describe('Path of the route.'),
  input_message: z.string().nullable().describe('null where LOG_CONTENT=false, as are `output_response` and `files`.'),
  output_response: z.string().nullable(),
  request_headers: z.record(z.string(), z.string()).describe('Of an allow-list of names.'),
  model_info: modelSchema.nullable(),
  token_usage: usageSchema.nullable(),
  total_tokens: z.int().nullable(),
  response_time_ms: z.number().nullable(),
  time_to_first_token_ms: z.number().nullable(),
  queue_ms: z.number().nullable(),
  status: z.enum(LOG_STATUSES).describe('interrupted: the server ended before the interaction did.'),
  error_code: z.string().nullable(),
  error_message: z.string().nullable(),
  files: z.array(z.object({ name: z.string(), type: z.string(), size: z.int().describe('Bytes.') })).nullable(),
  created_at: z.iso.datetime().describe('When the row was written.'),
});

const logs = z.array(logRowSchema);

export const logPageSchema = z.object({ total: z.int().describe('All that match.'), limit: z.int(), offset: z.int(), logs: logs.describe('Newest first.') });

export const sessionLogsSchema = z.object({ session_id: z.string(), total: z.int(), logs: logs.describe('Oldest first.') });

const duration = z.number().nullable().describe('null where there is none to take it of.');
const figures = {
  total_interactions: z.int().describe('Successful, failed and partial ones together.'),
  successful_interactions: z.int().describe('Those with the status success.'),
  failed_interactions: z.int().describe('Those with the status error or timeout: nobody wanted them to end so.'),
  partial_interactions: z.int().describe('Those with the status cancelled or interrupted: somebody, or a stop of the server, ended them before their time.'),
  unique_sessions: z.int(),
  avg_response_time_ms: duration,
  min_response_time_ms: duration,
  max_response_time_ms: duration,
  p50_response_time_ms: duration,
  p95_response_time_ms: duration,
  p99_response_time_ms: duration,
  avg_time_to_first_token_ms: duration,
  input_tokens_sum: z.number(),
  output_tokens_sum: z.number(),
  total_tokens_sum: z.number(),
};
const answered = { agent_name: z.string(), database_active: z.literal(true) };

export const statsSchema = z.object({
  ...answered,
  statistics: z.object({
    ...figures,
    unique_users: z.int(),
    by_day: z
      .array(z.object({ date: z.iso.date(), interactions: z.int(), failed: z.int(), total_tokens: z.number(), avg_response_time_ms: duration }))
      .describe('By UTC date, oldest first; days without interactions are left out.'),
  }),
});

export const userStatsSchema = z.object({
  ...answered,
  total_users: z.int().describe('How many there are, of whom at most 1,000 are listed.'),
  user_statistics: z.array(z.object({ user_id: z.string(), ...figures })).describe('Those with the most interactions first.'),
});
