// One message and its answer over HTTP: sent, streamed, taken up again where the connection broke, cancelled.
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { EventSourceParserStream } from 'eventsource-parser/stream';
import type { AgentEvent, ModelName, OutputContent } from '../../shared/chat.ts';
import { formOf, type Attachment } from './attachments.ts';

export type StreamEvent =
  | AgentEvent
  | { readonly type: 'start'; readonly agent: string; readonly model: ModelName | null }
  | ({ readonly type: 'output' } & OutputContent)
  | { readonly type: 'error'; readonly error: { readonly code: string; readonly message: string } };

export interface Conversation {
  /** Ends after `output` or `error`; throws when the server cannot be reached or refuses the message. */
  readonly events: AsyncIterable<StreamEvent>;
  /** Asks the server to cancel; the answer then ends with an error event. A second call waits for nothing any more. */
  cancel(): void;
}

/** Waits before each attempt to take a broken answer up again, in ms. */
const RESUME_DELAYS_MS = [0, 200, 500, 1000, 2000, 4000];
/** So many connections in a row may bring nothing. */
const MAX_IDLE_CONNECTIONS = 5;
/** How long the server keeps the answer going for us when the connection breaks. */
const DISCONNECT_GRACE_MS = 10_000;

/** Sends `message`, and files along with it, to the server at `base`. */
export function openConversation(base: string, sessionId: string, message: string, files: readonly Attachment[] = []): Conversation {
  const interactionId = randomUUID();
  const address = `${base}/chat/${interactionId}`;
  const gone = new AbortController();
  let cancelled = false;
  const body = { message, session_id: sessionId, interaction_id: interactionId, verbose: true, disconnect_grace_ms: DISCONNECT_GRACE_MS };
  return {
    events: answerTo(base, body, files, `${address}/stream`, gone.signal),
    cancel: () => {
      if (cancelled) gone.abort(new Error('cancelled'));
      cancelled = true;
      cancelAt(`${address}/cancel`).catch((error: unknown) => gone.abort(error));
    },
  };
}

async function* answerTo(
  base: string,
  body: Readonly<Record<string, unknown>>,
  files: readonly Attachment[],
  resumeUrl: string,
  signal: AbortSignal,
): AsyncGenerator<StreamEvent> {
  let response = await ask(base, body, files, signal);
  let lastId = '0';
  for (let idle = 0; idle < MAX_IDLE_CONNECTIONS; idle += 1) {
    for await (const { id, data } of messagesOf(response, signal)) {
      const { content } = JSON.parse(data) as { content: StreamEvent };
      lastId = id ?? lastId;
      idle = 0;
      yield content;
      if (content.type === 'output' || content.type === 'error') return;
    }
    response = await resume(resumeUrl, lastId, signal);
  }
  throw new Error('the connection breaks again and again');
}

async function ask(base: string, body: Readonly<Record<string, unknown>>, files: readonly Attachment[], signal: AbortSignal): Promise<Response> {
  const accept = 'text/event-stream';
  if (files.length > 0) return send(`${base}/chat/stream/with-files`, { method: 'POST', headers: { accept }, body: await formOf(body, files), signal });
  const headers = { 'content-type': 'application/json', accept };
  return send(`${base}/chat/stream`, { method: 'POST', headers, body: JSON.stringify(body), signal });
}

/** Ends when the stream does, and as quietly when the connection breaks: neither is the end of an answer without its last event. */
async function* messagesOf(response: Response, signal: AbortSignal) {
  if (response.body === null) return;
  const messages = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
  try {
    for await (const message of messages) {
      if (message.data === '[DONE]') return;
      yield message;
    }
  } catch {
    signal.throwIfAborted();
  }
}

async function resume(url: string, lastId: string, signal: AbortSignal): Promise<Response> {
  let reason: unknown;
  for (const ms of RESUME_DELAYS_MS) {
    await delay(ms, undefined, { signal });
    try {
      const response = await send(url, { headers: { accept: 'text/event-stream', 'last-event-id': lastId }, signal });
      if (response.status === 204) throw new Refusal('the answer ended without its last event');
      return response;
    } catch (error) {
      if (error instanceof Refusal) throw error;
      signal.throwIfAborted();
      reason = error;
    }
  }
  throw reason;
}

async function cancelAt(url: string): Promise<void> {
  const response = await send(url, { method: 'POST' });
  await response.body?.cancel();
}

/** The server has answered, and will not answer otherwise if asked again. */
class Refusal extends Error {}

async function send(url: string, init: RequestInit): Promise<Response> {
  let response: Response;
  const headers = new Headers(init.headers);
  const token = process.env['OAI_TOKEN'];
  if (token) headers.set('authorization', `Bearer ${token}`);
  try {
    response = await fetch(url, { ...init, headers });
  } catch (error) {
    init.signal?.throwIfAborted();
    throw new Error(`cannot reach ${new URL(url).origin}: ${reasonOf(error)}`, { cause: error });
  }
  if (!response.ok) throw new Refusal(await refusalOf(response));
  return response;
}

/** fetch says only "fetch failed"; what failed is in its cause. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as Error;
  if (!(cause instanceof Error)) return message;
  return cause.message || ((cause as NodeJS.ErrnoException).code ?? message);
}

/** The detail and code of a problem+json body, else the status. */
async function refusalOf(response: Response): Promise<string> {
  const body = (await response.json().catch(() => null)) as { detail?: unknown; code?: unknown } | null;
  const detail = typeof body?.detail === 'string' ? body.detail : response.statusText;
  return `${detail} (${typeof body?.code === 'string' ? body.code : response.status})`;
}
