// Calls an OpenAI-compatible server: one POST whose answer is read as server-sent events while it comes.
import { createParser } from 'eventsource-parser';
import { AppError } from '../../../shared/errors.ts';
import type { ModelApi, RequestSettings, StreamReader } from './api.ts';
import type { ModelClient } from './client.ts';
import { createChatCompletionsApi } from './chat_completions.ts';
import { endpointOf, type Endpoint } from './endpoint.ts';
import { cutFailed, malformedFailed, modelFailed } from './failure.ts';
import type { Environment, Model, ModelCall, ModelEvent } from './model.ts';
import { createResponsesApi } from './responses.ts';
import { secretsOf } from './scrub.ts';
import { watchSilence } from './silence.ts';
import { openStream, release, type OpenStream } from './stream.ts';

export interface OpenAiSettings extends RequestSettings {
  readonly api: 'responses' | 'chat_completions';
  /** The agent file's own; it wins over OPENAI_BASE_URL. */
  readonly baseUrl: string | null;
  /** Longest silence of one call. Not retried: whoever was silent once has been paid for it. */
  readonly timeoutMs: number;
  /** Further attempts, before the first byte of an answer only. */
  readonly retries: number;
  /** Names of the variables that a request may set, whose values must not come back in an error. */
  readonly requestEnv: readonly string[];
}

/**
 * Most that one event, or a line of it, may hold, in UTF-16 units: the Responses API repeats the whole answer in its last event, and an answer may
 * have MAX_ANSWER_LENGTH units, which JSON escapes can double.
 */
const LARGEST_EVENT = 16 * 1024 * 1024;

/**
 * A model behind `client`, whose pool the interactions of a worker share. OPENAI_API_KEY and OPENAI_BASE_URL are those of each call's
 * environment.
 */
export function createOpenAiModel(settings: OpenAiSettings, client: ModelClient): Model {
  const api: ModelApi = settings.api === 'responses' ? createResponsesApi(settings) : createChatCompletionsApi(settings);
  const name = { model_id: settings.modelId, provider: 'openai' };

  async function* call(request: ModelCall, signal: AbortSignal): AsyncGenerator<readonly ModelEvent[]> {
    signal.throwIfAborted();
    const endpoint = endpointOf(settings.baseUrl, request.env, api.path);
    const secrets = secretsOf(request.env, settings.requestEnv);
    const watch = watchSilence(settings.timeoutMs, signal);
    const reader = api.reader(secrets);
    let stream: OpenStream | null = null;
    try {
      const { origin, path } = endpoint;
      const post = { origin, path, method: 'POST', headers: headersOf(endpoint, request.env), body: JSON.stringify(api.body(request)) } as const;
      stream = await openStream(await client.dispatcher(), post, { ...settings, secrets, logger: request.logger }, watch, signal);
      const parse = createChunkParser(reader);
      for (let chunk: Uint8Array | null = stream.first; chunk !== null; chunk = await stream.next()) {
        watch.heard();
        const events = parse(chunk);
        if (events.length > 0) yield events;
        if (reader.ended) return;
      }
      if (!stream.isEventStream) throw malformedFailed('something else than a stream of events');
      const last: ModelEvent[] = [];
      if (!reader.close(last)) throw cutFailed();
      yield last;
    } finally {
      watch.end();
      if (stream !== null) release(stream, reader.ended);
    }
  }

  return { nameFor: () => name, call };
}

/** @throws AppError MODEL_AUTH_FAILED where there is no key, or none that a header can carry */
function headersOf(endpoint: Endpoint, env: Environment): Record<string, string> {
  const headers = { 'content-type': 'application/json', accept: 'text/event-stream' };
  const key = env['OPENAI_API_KEY']?.trim() ?? '';
  if (key === '') {
    // A server of one's own, such as on localhost, may want no key; OpenAI's does.
    if (!endpoint.isDefault) return headers;
    throw new AppError('MODEL_AUTH_FAILED', { message: 'No key for the model: OPENAI_API_KEY is not set.' });
  }
  if (!/^[\x21-\x7e]+$/.test(key)) throw new AppError('MODEL_AUTH_FAILED', { message: 'OPENAI_API_KEY has characters that a key cannot have.' });
  return { ...headers, authorization: `Bearer ${key}` };
}

/** Turns chunks of bytes, cut anywhere, into what the events that they complete say. The function throws AppError MODEL_FAILED. */
function createChunkParser(reader: StreamReader): (chunk: Uint8Array) => readonly ModelEvent[] {
  const decoder = new TextDecoder();
  let events: ModelEvent[] = [];
  const parser = createParser({
    maxBufferSize: LARGEST_EVENT,
    onEvent: (message) => reader.read(message, events),
    onError: (error) => {
      if (error.type === 'max-buffer-size-exceeded') throw modelFailed("An event of the model's server was too large.");
    },
  });
  return (chunk) => {
    events = [];
    parser.feed(decoder.decode(chunk, { stream: true }));
    return events;
  };
}
