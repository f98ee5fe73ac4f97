// The routes of mode chat: ask, stream, look, come back, cancel; and the sessions.
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { AppError, eventCode, type ErrorCode } from '../../shared/errors.ts';
import type { App } from '../app.ts';
import { sendEmpty, sendJson, type RequestContext } from '../http/context.ts';
import { readJson } from '../http/body.ts';
import { beginEventStream, followEvents, parseLastEventId } from '../http/sse.ts';
import type { EventReader, Interaction } from '../interactions/interaction.ts';
import { chatBodySchema, parseChatRequest } from './chat_request.ts';
import { createHeaderEnv } from './request_env.ts';
import type { Route } from './route.ts';
import { chatAnswerSchema, interactionSchema, sessionSchema } from './schemas.ts';

const ADMISSION_ERRORS = [
  'DUPLICATE_VARIABLE', 'MALFORMED_JSON', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE', 'VALIDATION_FAILED',
  'INTERACTION_EXISTS', 'SESSION_TAKEN', 'SESSION_BUSY', 'QUEUE_FULL', 'SHUTTING_DOWN', 'STORE_UNAVAILABLE',
] as const satisfies readonly ErrorCode[];
const END_ERRORS = [
  'CANCELLED', 'GUARDRAIL', 'AGENT_FAILED', 'WORKER_CRASHED', 'WORKER_STUCK', 'MODEL_FAILED', 'MODEL_AUTH_FAILED', 'MAX_TURNS', 'OUTPUT_INVALID', 'QUEUE_TIMEOUT',
  'NO_WORKERS', 'SESSION_NOT_SAVED', 'TIMEOUT',
] as const satisfies readonly ErrorCode[];

/** A body that escapes all that is not ASCII may be three times as long as the message in it. */
const ESCAPE_FACTOR = 3;
const BESIDE_MESSAGE_BYTES = 1024 * 1024;

export function chatRoutes(app: App): readonly Route[] {
  const { interactions, sessions, config, store } = app;
  let headerEnvOf: ((request: IncomingMessage) => Readonly<Record<string, string>>) | undefined;
  let requestEnv: ReadonlySet<string> = new Set();

  const admit = async (context: RequestContext, streamed: boolean): Promise<Interaction> => {
    if (headerEnvOf === undefined) {
      const names = app.generation().facts.requestEnv;
      headerEnvOf = createHeaderEnv(names);
      requestEnv = new Set(names);
    }
    refuseReinitialize(context.request);
    const headerEnv = headerEnvOf(context.request);
    const body = await readJson(context, config.maxMessageBytes * ESCAPE_FACTOR + BESIDE_MESSAGE_BYTES);
    const limits = { maxMessageBytes: config.maxMessageBytes, requestEnv };
    return interactions.start(parseChatRequest(body, headerEnv, limits, context.caller.id, streamed));
  };

  const chat = async (context: RequestContext): Promise<void> => {
    const interaction = await admit(context, false);
    const waiting: EventReader = { behind: false, last: 0, wake: () => undefined };
    interaction.addReader(waiting, false);
    context.response.once('close', () => {
      interaction.removeReader(waiting);
      interactions.readersChanged(interaction);
    });
    await interaction.ended;
    sendAnswer(context, interaction);
  };

  const stream = async (context: RequestContext): Promise<void> => {
    const interaction = await admit(context, true);
    beginEventStream(context.response, idHeaders(interaction));
    followEvents(context.response, interaction, {
      after: 0,
      taken: (units) => interactions.taken(interaction, units),
      onClose: () => interactions.readersChanged(interaction),
    });
  };

  const resume = (context: RequestContext): void => {
    const interaction = found(context);
    const after = parseLastEventId(context.request.headers['last-event-id'] as string | undefined);
    const { lastId, firstId } = interaction.ring;
    if (interaction.isOver && after >= lastId) {
      sendEmpty(context.response, 204, idHeaders(interaction));
      return;
    }
    if (after + 1 < firstId) throw new AppError('EVENTS_EXPIRED');
    beginEventStream(context.response, idHeaders(interaction));
    followEvents(context.response, interaction, {
      after: Math.min(after, lastId),
      taken: null,
      onClose: () => interactions.readersChanged(interaction),
    });
    interactions.readersChanged(interaction);
  };

  const found = (context: RequestContext): Interaction => interactions.find((context.params['interaction_id'] as string).toLowerCase(), context.caller.id);

  const cancel = async (context: RequestContext): Promise<void> => {
    const interaction = found(context);
    interactions.cancel(interaction);
    await interaction.ended;
    sendJson(context, 200, stateJson(interaction));
  };

  const readSession = (context: RequestContext): void => {
    const sessionId = context.params['session_id'] as string;
    const session = fromStore(() => store.read(sessionId, Date.now()));
    if (session === null || session.owner !== context.caller.id) throw new AppError('SESSION_NOT_FOUND');
    const items = session.turns.map((turn) => turn.slice(1, -1)).join(',');
    const head = JSON.stringify({ session_id: sessionId, user_id: session.userId }).slice(0, -1);
    const times = JSON.stringify({ created_at: isoTime(session.createdAt), updated_at: isoTime(session.updatedAt) }).slice(1);
    sendJson(context, 200, `${head},"items":[${items}],${times}`);
  };

  const deleteSession = async (context: RequestContext): Promise<void> => {
    const sessionId = context.params['session_id'] as string;
    if (sessions.ownerOf(sessionId) !== context.caller.id) throw new AppError('SESSION_NOT_FOUND');
    await sessions.delete(sessionId, context.caller.id);
    sendEmpty(context.response, 204);
  };

  const row = { mode: 'chat', scope: 'chat' } as const;
  const streamed = { status: 200, description: 'Events of the interaction, then `data: [DONE]`.', contentType: 'text/event-stream' };
  const state = { status: 200, description: 'The interaction.', schema: interactionSchema };
  return [
    {
      ...row,
      method: 'POST',
      path: '/chat',
      summary: 'Ask the agent, wait for its answer',
      body: chatBodySchema,
      success: { status: 200, description: 'The answer.', schema: chatAnswerSchema },
      errors: [...ADMISSION_ERRORS, ...END_ERRORS],
      handle: chat,
    },
    {
      ...row,
      method: 'POST',
      path: '/chat/stream',
      summary: 'Ask the agent, follow its answer as it comes',
      body: chatBodySchema,
      success: streamed,
      errors: ADMISSION_ERRORS,
      streams: true,
      handle: stream,
    },
    {
      ...row,
      method: 'GET',
      path: '/chat/{interaction_id}',
      summary: 'How an interaction stands',
      success: state,
      errors: ['INTERACTION_NOT_FOUND'],
      handle: (context) => sendJson(context, 200, stateJson(found(context))),
    },
    {
      ...row,
      method: 'GET',
      path: '/chat/{interaction_id}/stream',
      summary: 'Follow an interaction, from Last-Event-ID on',
      success: streamed,
      errors: ['INTERACTION_NOT_FOUND', 'EVENTS_EXPIRED'],
      streams: true,
      handle: resume,
    },
    {
      ...row,
      method: 'POST',
      path: '/chat/{interaction_id}/cancel',
      summary: 'Cancel an interaction; answers once it has ended',
      success: state,
      errors: ['INTERACTION_NOT_FOUND'],
      handle: cancel,
    },
    {
      ...row,
      method: 'GET',
      path: '/chat/sessions/{session_id}',
      summary: 'What a session remembers',
      success: { status: 200, description: 'The session.', schema: sessionSchema },
      errors: ['SESSION_NOT_FOUND', 'STORE_UNAVAILABLE'],
      handle: readSession,
    },
    {
      ...row,
      method: 'DELETE',
      path: '/chat/sessions/{session_id}',
      summary: 'Forget a session, after the turn that runs in it',
      success: { status: 204, description: 'It is forgotten.', schema: z.undefined() },
      errors: ['SESSION_NOT_FOUND', 'SESSION_BUSY', 'STORE_UNAVAILABLE'],
      handle: deleteSession,
    },
  ];
}

/** A worker of its own for one interaction asks for a scope that no caller has until there are tokens. */
function refuseReinitialize({ headers }: IncomingMessage): void {
  const asked = headers['agent_reinitialize'] ?? headers['agent-reinitialize'];
  if (String(asked).toLowerCase() === 'true') throw new AppError('FORBIDDEN', { message: 'AGENT_REINITIALIZE asks for the scope admin, and is not part of this version.' });
}

function sendAnswer(context: RequestContext, interaction: Interaction): void {
  const { error, resultJson, responseJson, timing, envelopeEnd } = interaction;
  if (context.response.destroyed) return;
  if (error !== null) throw new AppError(error.code, { message: error.message, headers: idHeaders(interaction) });
  // The envelope ends as an event's does: ,"session_id":…,"interaction_id":…}
  const ids = envelopeEnd.slice(0, -1);
  sendJson(context, 200, `{"response":${responseJson}${ids},"content":{${resultJson}},"timing":${JSON.stringify(timing)}}`, idHeaders(interaction));
}

function stateJson(interaction: Interaction): string {
  const { id, request, status, error, resultJson } = interaction;
  const state = JSON.stringify({
    interaction_id: id,
    session_id: request.sessionId,
    status,
    created_at: isoTime(interaction.createdAt),
    started_at: isoTime(interaction.startedAt),
    ended_at: isoTime(interaction.endedAt),
  }).slice(0, -1);
  const told = error === null ? null : { code: eventCode(error.code), message: error.message };
  return `${state},"result":${resultJson === null ? 'null' : `{${resultJson}}`},"error":${JSON.stringify(told)}}`;
}

/** Session ids may have any characters; field values may not. */
function idHeaders(interaction: Interaction): Record<string, string> {
  return { 'X-Interaction-ID': interaction.id, 'X-Session-ID': encodeURIComponent(interaction.request.sessionId) };
}

function isoTime(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

function fromStore<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new AppError('STORE_UNAVAILABLE', {}, { cause: error });
  }
}
