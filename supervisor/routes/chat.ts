// The routes of mode chat: ask, stream, look, come back, cancel; and the sessions.
import { z } from 'zod';
import { AppError, eventCode, type ErrorCode } from '../../shared/errors.ts';
import type { App } from '../app.ts';
import { sendEmpty, sendJson, type RequestContext } from '../http/context.ts';
import { beginEventStream, followEvents, parseLastEventId } from '../http/sse.ts';
import type { EventReader, Interaction } from '../interactions/interaction.ts';
import { createAdmission, FORM_ERRORS, JSON_ERRORS, type Admit } from './chat_admission.ts';
import { chatBodySchema, chatFormSchema } from './chat_request.ts';
import type { Route } from './route.ts';
import { chatAnswerSchema, interactionSchema, sessionSchema } from './schemas.ts';

const END_ERRORS = [
  'CANCELLED', 'GUARDRAIL', 'AGENT_FAILED', 'WORKER_CRASHED', 'WORKER_STUCK', 'MODEL_FAILED', 'MODEL_AUTH_FAILED', 'MAX_TURNS', 'OUTPUT_INVALID', 'QUEUE_TIMEOUT',
  'NO_WORKERS', 'SESSION_NOT_SAVED', 'TIMEOUT',
] as const satisfies readonly ErrorCode[];

export function chatRoutes(app: App): readonly Route[] {
  const { interactions, sessions } = app;
  const { authorize, fromJson, fromForm } = createAdmission(app);

  const chat = async (context: RequestContext, admit: Admit): Promise<void> => {
    const interaction = await admit(context, false);
    if (isGone(context, interaction)) return;
    const waiting: EventReader = { behind: false, last: 0, wake: () => undefined };
    interaction.addReader(waiting, false);
    context.response.once('close', () => {
      interaction.removeReader(waiting);
      interactions.readersChanged(interaction);
    });
    await interaction.ended;
    sendAnswer(context, interaction);
  };

  const stream = async (context: RequestContext, admit: Admit): Promise<void> => {
    const interaction = await admit(context, true);
    if (isGone(context, interaction)) return;
    beginEventStream(context.response, idHeaders(interaction));
    followEvents(context.response, interaction, {
      after: 0,
      taken: (units) => interactions.taken(interaction, units),
      onClose: () => interactions.readersChanged(interaction),
    });
  };

  /** The client may go away after its request was complete and before it was admitted, while its files go to the disk: it never reads then. */
  const isGone = ({ response }: RequestContext, interaction: Interaction): boolean => {
    if (response.destroyed) interactions.readersChanged(interaction);
    return response.destroyed;
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

  const readSession = async (context: RequestContext): Promise<void> => {
    const sessionId = context.params['session_id'] as string;
    const session = await sessions.read(sessionId, context.caller.id);
    const items = session.turns.map((turn) => turn.slice(1, -1)).join(',');
    const head = JSON.stringify({ session_id: sessionId, user_id: session.userId }).slice(0, -1);
    const times = JSON.stringify({ created_at: isoTime(session.createdAt), updated_at: isoTime(session.updatedAt) }).slice(1);
    sendJson(context, 200, `${head},"items":[${items}],${times}`);
  };

  const deleteSession = async (context: RequestContext): Promise<void> => {
    const sessionId = context.params['session_id'] as string;
    await sessions.delete(sessionId, context.caller);
    sendEmpty(context.response, 204);
  };

  const row = { mode: 'chat', scope: 'chat' } as const;
  const streamed = { status: 200, description: 'Events of the interaction, then `data: [DONE]`.', contentType: 'text/event-stream' };
  const state = { status: 200, description: 'The interaction.', schema: interactionSchema };
  const answer = { ...row, method: 'POST', authorize, limited: true, success: { status: 200, description: 'The answer.', schema: chatAnswerSchema } } as const;
  const events = { ...row, method: 'POST', authorize, limited: true, success: streamed, streams: true } as const;
  return [
    {
      ...answer,
      path: '/chat',
      summary: 'Ask the agent, wait for its answer',
      body: chatBodySchema,
      errors: ['RATE_LIMITED', ...JSON_ERRORS, ...END_ERRORS],
      handle: (context) => chat(context, fromJson),
    },
    {
      ...answer,
      path: '/chat/with-files',
      summary: 'The same, with files',
      body: chatFormSchema,
      bodyType: 'multipart/form-data',
      errors: ['RATE_LIMITED', ...FORM_ERRORS, ...END_ERRORS],
      handle: (context) => chat(context, fromForm),
    },
    {
      ...events,
      path: '/chat/stream',
      summary: 'Ask the agent, follow its answer as it comes',
      body: chatBodySchema,
      errors: ['RATE_LIMITED', ...JSON_ERRORS],
      handle: (context) => stream(context, fromJson),
    },
    {
      ...events,
      path: '/chat/stream/with-files',
      summary: 'The same, with files',
      body: chatFormSchema,
      bodyType: 'multipart/form-data',
      errors: ['RATE_LIMITED', ...FORM_ERRORS],
      handle: (context) => stream(context, fromForm),
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

function sendAnswer(context: RequestContext, interaction: Interaction): void {
  const { error, resultJson, responseJson, timing, envelopeEnd } = interaction;
  if (context.response.destroyed) return;
  if (error !== null) throw new AppError(error.code, { message: error.message, interactionId: interaction.id, headers: idHeaders(interaction) });
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
