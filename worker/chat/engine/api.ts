// What the two wire APIs have in common: a request body, and a reader of the stream that comes back.
import type { EventSourceMessage } from 'eventsource-parser';
import { malformedFailed, toldFailed } from './failure.ts';
import type { ModelCall, ModelEvent, ToolSpec } from './model.ts';
import type { OutputFormat } from './output.ts';

/** The part of a model's settings that goes into request bodies. */
export interface RequestSettings {
  readonly modelId: string;
  /** `temperature`, `max_tokens`, and whatever else the API takes, as it is. */
  readonly params: Readonly<Record<string, unknown>>;
  /** What the answer must look like; null where it may be any text. */
  readonly output: OutputFormat | null;
}

export interface ModelApi {
  /** Appended to the base URL's path. */
  readonly path: string;
  body(call: ModelCall): Readonly<Record<string, unknown>>;
  /** A reader for one stream. `secrets` are taken out of errors that the stream tells. */
  reader(secrets: readonly string[]): StreamReader;
}

export interface StreamReader {
  /**
   * Reads one server-sent event and appends what it says. What follows the end marker is ignored.
   * @throws AppError MODEL_FAILED
   */
  read(message: EventSourceMessage, events: ModelEvent[]): void;
  /** True once the end marker has come. */
  readonly ended: boolean;
  /** The stream closed without its end marker: true where what came is a whole answer all the same, with its `end` appended. */
  close(events: ModelEvent[]): boolean;
}

export type JsonObject = Readonly<Record<string, unknown>>;

/** The tools' form for an API, made once for each list: it is the same in nearly every call. */
export function createToolForms(formOf: (tool: ToolSpec) => JsonObject): (tools: readonly ToolSpec[]) => JsonObject {
  const known = new WeakMap<readonly ToolSpec[], JsonObject>();
  return (tools) => {
    let form = known.get(tools);
    if (form === undefined) known.set(tools, (form = tools.length === 0 ? {} : { tools: tools.map(formOf) }));
    return form;
  };
}

/**
 * One event's JSON. A told error is thrown here, whichever API it came through: gateways put `{"error": …}` into streams of either.
 * @throws AppError MODEL_FAILED
 */
export function parseChunk(message: EventSourceMessage, secrets: readonly string[]): JsonObject {
  let chunk: unknown;
  try {
    chunk = JSON.parse(message.data);
  } catch (error) {
    throw malformedFailed('a chunk that is not JSON', error);
  }
  if (!isObject(chunk)) throw malformedFailed('a chunk that is not an object');
  if (chunk['error'] !== undefined && chunk['error'] !== null) throw toldFailed(messageOf(chunk['error']), secrets);
  if (message.event === 'error' || chunk['type'] === 'error') throw toldFailed(chunk['message'], secrets);
  return chunk;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A field that has to be text. */
export function textOf(chunk: JsonObject, field: string): string {
  const text = chunk[field];
  if (typeof text !== 'string') throw malformedFailed(`a chunk whose ${field} is not text`);
  return text;
}

/** The message of an error object, or the error itself where a server sends only words. */
export function messageOf(error: unknown): unknown {
  return isObject(error) ? error['message'] : error;
}

/** The text of a tool's result; what another kind of agent kept in another form is told as JSON. */
export function outputText(output: unknown): string {
  if (typeof output === 'string') return output;
  return isObject(output) && typeof output['text'] === 'string' ? output['text'] : (JSON.stringify(output) ?? '');
}

/** Arguments as an API may be sent them: servers that parse what comes back refuse a whole request for one malformed text of an earlier turn. */
export function wellFormedArguments(argumentsJson: string): string {
  try {
    JSON.parse(argumentsJson);
    return argumentsJson;
  } catch {
    return '{}';
  }
}
