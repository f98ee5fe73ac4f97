// The routes of mode logs: the record of interactions, listed, one by one, and in figures.
import type { z } from 'zod';
import { AppError } from '../../shared/errors.ts';
import type { LogListing, LogQuestion } from '../../shared/log_protocol.ts';
import type { App } from '../app.ts';
import { sendJson, type RequestContext } from '../http/context.ts';
import { sendPortions } from '../http/text_stream.ts';
import type { Queries } from '../logs/queries.ts';
import { filterOf, noQuerySchema, pageQuerySchema, parseQuery, statsQuerySchema } from './log_query.ts';
import { logPageSchema, logRowSchema, sessionLogsSchema, statsSchema, userStatsSchema } from './log_schemas.ts';
import type { Route } from './route.ts';

const JSON_TYPE = 'application/json';
const CONTENT_TYPES = { csv: 'text/csv', jsonl: 'application/x-ndjson' } as const;

export function logRoutes(app: App): readonly Route[] {
  const { agent } = app.config;

  const page = async (context: RequestContext): Promise<void> => {
    const queries = queriesOf(app);
    const { limit, offset, format, ...fields } = parseQuery(pageQuerySchema, context.query);
    const filter = filterOf(agent, context.caller, fields);
    if (format === undefined) return sendListing(context, queries, { type: 'page', filter, limit, offset }, JSON_TYPE);
    const name = `${agent.replaceAll(/[^\w.-]+/g, '_')}-logs.${format}`;
    const headers = { 'Content-Disposition': `attachment; filename="${name}"` };
    return sendListing(context, queries, { type: 'export', filter, format }, `${CONTENT_TYPES[format]}; charset=utf-8`, headers);
  };

  const session = async (context: RequestContext): Promise<void> => {
    parseQuery(noQuerySchema, context.query);
    const sessionId = context.params['session_id'] as string;
    const filter = filterOf(agent, context.caller, { session_id: sessionId });
    return sendListing(context, queriesOf(app), { type: 'session', filter, sessionId }, JSON_TYPE);
  };

  const one = async (context: RequestContext): Promise<void> => {
    parseQuery(noQuerySchema, context.query);
    const interactionId = (context.params['interaction_id'] as string).toLowerCase();
    return sendAnswer(context, queriesOf(app), { type: 'one', filter: filterOf(agent, context.caller), interactionId });
  };

  const figures = (type: 'stats' | 'user_stats') => async (context: RequestContext): Promise<void> => {
    const queries = queriesOf(app);
    const filter = filterOf(agent, context.caller, parseQuery(statsQuerySchema, context.query));
    return sendAnswer(context, queries, { type, filter });
  };

  const row = { method: 'GET', mode: 'logs', scope: 'logs' } as const;
  const errors = ['LOGGING_DISABLED', 'LOG_UNAVAILABLE', 'LOG_BUSY', 'LOG_TIMEOUT', 'SHUTTING_DOWN'] as const;
  const success = (description: string, schema: z.ZodType) => ({ status: 200, description, schema });
  return [
    {
      ...row,
      path: '/logs',
      summary: 'Interactions that were recorded, newest first; as CSV or JSON Lines all of them',
      query: pageQuerySchema,
      success: { ...success('Those of the caller, or with the scope `logs:all` of everybody. ' + CSV_TEXT, logPageSchema), otherTypes: Object.values(CONTENT_TYPES) },
      errors: ['VALIDATION_FAILED', ...errors],
      handle: page,
    },
    {
      ...row,
      path: '/logs/sessions/{session_id}',
      summary: 'The interactions of a session, oldest first',
      success: success('All that were recorded.', sessionLogsSchema),
      errors: ['SESSION_NOT_FOUND', 'VALIDATION_FAILED', ...errors],
      handle: session,
    },
    {
      ...row,
      path: '/logs/interactions/{interaction_id}',
      summary: 'What was recorded of an interaction',
      success: success('Its row.', logRowSchema),
      errors: ['INTERACTION_NOT_FOUND', 'VALIDATION_FAILED', ...errors],
      handle: one,
    },
    {
      ...row,
      path: '/logs/stats',
      summary: 'Figures over interactions: how many, how fast, how many tokens',
      query: statsQuerySchema,
      success: success('The figures.', statsSchema),
      errors: ['VALIDATION_FAILED', ...errors],
      handle: figures('stats'),
    },
    {
      ...row,
      path: '/logs/stats/users',
      summary: 'The same figures by user',
      query: statsQuerySchema,
      success: success('The figures of each user.', userStatsSchema),
      errors: ['VALIDATION_FAILED', ...errors],
      handle: figures('user_stats'),
    },
  ];
}

const CSV_TEXT =
  'As CSV (RFC 4180, with a header line) null is an empty field, an empty text is `""`, and a text that a spreadsheet would take for a formula has an apostrophe before it.';

/** @throws AppError LOGGING_DISABLED */
function queriesOf({ logs }: App): Queries {
  if (logs === null) throw new AppError('LOGGING_DISABLED');
  return logs.queries;
}

async function sendAnswer(context: RequestContext, queries: Queries, question: LogQuestion): Promise<void> {
  const json = await whileConnected(context, (signal) => queries.ask(question, context.caller.id, signal));
  if (json === GONE) return;
  if (json === null) throw new AppError('INTERACTION_NOT_FOUND', { message: 'There is no record of such an interaction.' });
  sendJson(context, 200, json);
}

async function sendListing(
  context: RequestContext,
  queries: Queries,
  listing: LogListing,
  contentType: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  const portions = await whileConnected(context, (signal) => queries.list(listing, context.caller.id, signal));
  if (portions === GONE) return;
  if (portions === null) throw new AppError('SESSION_NOT_FOUND', { message: 'There is no record of such a session.' });
  await sendPortions(context, contentType, portions, headers);
}

const GONE = Symbol('the client went away');

/** What a client asked for that has gone away is not looked for any longer; with the answer, once it is there, that is up to whoever sends it. */
async function whileConnected<T>({ response }: RequestContext, ask: (signal: AbortSignal) => Promise<T>): Promise<T | typeof GONE> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  try {
    return await ask(gone.signal);
  } catch (error) {
    if (gone.signal.aborted) return GONE;
    throw error;
  }
}
