// The answer of one interaction as it grows: numbers its messages, turns pieces into events, keeps the session's items, and holds back for a slow reader.
import { MAX_ANSWER_LENGTH, MAX_TOOL_TEXT_LENGTH, type AgentEvent, type SessionItem, type ToolCallSummary, type UploadedFile } from '../../shared/chat.ts';
import { AppError } from '../../shared/errors.ts';
import { CREDIT_WINDOW, type InteractionEnd } from '../../shared/protocol.ts';
import type { Answer, AnswerEnd } from './agents/agent.ts';
import type { Line } from './line.ts';
import type { RunningCode } from './running_code.ts';

/** Longer pieces are sent as several events, so that none is bigger than the reader's window. */
const MAX_PIECE_LENGTH = 16 * 1024;
/** Bound of everything an interaction may put in its session and events that is no text of a message, in UTF-16 units. */
const MAX_ITEMS_LENGTH = 16 * 1024 * 1024;

/** How often an interaction whose events are hidden says that it goes on. */
const ACTIVITY_INTERVAL_MS = 1000;

export interface AnswerSettings {
  readonly id: string;
  readonly agentName: string;
  readonly message: string;
  readonly files: readonly UploadedFile[];
  readonly verbose: boolean;
  /** Join the pieces of one turn of the event loop into one event: nobody reads along. */
  readonly joinText: boolean;
  readonly signal: AbortSignal;
  readonly line: Line;
  readonly code: Pick<RunningCode, 'follow'>;
}

export interface GrowingAnswer extends Answer {
  /** The reader has taken so many more units. */
  credit(units: number): void;
  /** Completes the last message and says what the supervisor needs to end the interaction. */
  finish(end: AnswerEnd): InteractionEnd;
}

/** @throws AppError AGENT_FAILED, from any method that adds to it, when the answer outgrows what a session can hold. */
export function createAnswer(settings: AnswerSettings): GrowingAnswer {
  const { id, verbose, joinText, line, signal } = settings;
  const items: SessionItem[] = [{ type: 'message', role: 'user', content: rememberedMessage(settings.message, settings.files) }];
  const summaries: ToolCallSummary[] = [];
  const argumentsOf = new Map<string, string>();
  let message = 1;
  let text = '';
  let lastText = '';
  let splitPair = '';
  let joined = '';
  let itemsLength = 0;
  let shownActiveAt = Number.NEGATIVE_INFINITY;
  let inFlight = 0;
  let waiting: { readonly promise: Promise<void>; readonly resume: () => void } | undefined;

  const send = (eventJson: string): void => {
    inFlight += eventJson.length;
    line.postEvent(id, eventJson);
  };
  const sendText = (piece: string): void => send(`{"type":"text","content":${JSON.stringify(piece)},"message":${message}}`);
  const sendJoined = (): void => {
    if (joined === '') return;
    const piece = joined;
    joined = '';
    sendText(piece);
  };
  const sendVerbose = (event: AgentEvent): void => {
    if (!verbose) {
      showActivity();
      return;
    }
    sendJoined();
    send(JSON.stringify(event));
  };

  const showActivity = (): void => {
    const now = performance.now();
    if (now - shownActiveAt < ACTIVITY_INTERVAL_MS) return;
    shownActiveAt = now;
    line.post({ type: 'active', id });
  };

  const addPiece = (piece: string): void => {
    if (text.length + piece.length > MAX_ANSWER_LENGTH) {
      throw new AppError('AGENT_FAILED', { message: `A message of the agent is longer than ${MAX_ANSWER_LENGTH} characters.` });
    }
    text += piece;
    if (joinText) {
      if (joined === '') line.beforeFlush(sendJoined);
      joined += piece;
      if (joined.length >= MAX_PIECE_LENGTH) sendJoined();
    } else if (piece.length <= MAX_PIECE_LENGTH) {
      sendText(piece);
    } else {
      for (const part of partsOf(piece)) sendText(part);
    }
  };

  const grow = (length: number): void => {
    itemsLength += length;
    if (itemsLength > MAX_ITEMS_LENGTH) throw tooLarge();
  };

  const endMessage = (): void => {
    if (splitPair !== '') {
      splitPair = '';
      addPiece('\uFFFD');
    }
    sendJoined();
    if (text === '') return;
    items.push({ type: 'message', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text }] });
    lastText = text;
    text = '';
    message += 1;
  };

  return {
    items,
    text(given) {
      if (given === '') return;
      let piece = splitPair + given;
      splitPair = '';
      // Models cut their pieces anywhere: half of a surrogate pair waits for its other half.
      const last = piece.charCodeAt(piece.length - 1);
      if (last >= 0xd800 && last <= 0xdbff) {
        splitPair = piece.slice(-1);
        piece = piece.slice(0, -1);
        if (piece === '') return;
      }
      addPiece(piece.isWellFormed() ? piece : piece.toWellFormed());
    },
    endMessage,
    reasoning(piece) {
      if (piece !== '') sendVerbose({ type: 'reasoning', content: piece.toWellFormed(), message });
    },
    toolCall(callId, name, argumentsJson) {
      endMessage();
      grow(argumentsJson.length);
      items.push({ type: 'function_call', callId, name, arguments: argumentsJson, status: 'completed' });
      if (!verbose) {
        showActivity();
        return;
      }
      argumentsOf.set(callId, argumentsJson);
      sendVerbose({ type: 'tool_call', id: callId, name, arguments: shownArguments(argumentsJson) });
    },
    toolResult(callId, name, given, isError, durationMs) {
      endMessage();
      const content = given.toWellFormed();
      grow(content.length);
      items.push({ type: 'function_call_result', callId, name, status: 'completed', output: { type: 'text', text: content } });
      const duration_ms = Math.round(durationMs * 10) / 10;
      if (!verbose) {
        showActivity();
        summaries.push({ name, duration_ms });
        return;
      }
      const shown = cut(content);
      const argumentsJson = argumentsOf.get(callId) ?? '{}';
      const truncated = shown !== content || argumentsJson.length > MAX_TOOL_TEXT_LENGTH;
      sendVerbose({ type: 'tool_result', id: callId, name, content: shown, is_error: isError, duration_ms });
      summaries.push({ name, duration_ms, arguments: shownArguments(argumentsJson), result: shown, ...(truncated ? { truncated } : {}) });
    },
    handoff(from, to) {
      endMessage();
      sendVerbose({ type: 'handoff', from, to });
    },
    active: showActivity,
    follow: (code) => settings.code.follow(code),
    ready() {
      if (inFlight < CREDIT_WINDOW) return undefined;
      waiting ??= waitFor(signal);
      return waiting.promise;
    },
    credit(units) {
      inFlight -= units;
      if (inFlight >= CREDIT_WINDOW || waiting === undefined) return;
      waiting.resume();
      waiting = undefined;
    },
    finish(end) {
      endMessage();
      const kept = end.items === undefined ? items : [items[0], ...end.items];
      const keptJson = JSON.stringify(kept);
      if (end.items !== undefined && keptJson.length > MAX_ITEMS_LENGTH) throw tooLarge();
      const rest = { agent: settings.agentName, model: end.model, token_usage: end.usage, finish_reason: end.finishReason, tool_calls: summaries };
      return {
        status: 'success',
        model: end.model,
        contentJson: JSON.stringify(lastText),
        restJson: JSON.stringify(rest).slice(1, -1),
        items: keptJson,
        itemCount: kept.length,
        usage: end.usage,
      };
    },
  };
}

function waitFor(signal: AbortSignal): { readonly promise: Promise<void>; readonly resume: () => void } {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const abort = (): void => reject(signal.reason);
  if (signal.aborted) abort();
  else signal.addEventListener('abort', abort, { once: true });
  return {
    promise,
    resume() {
      signal.removeEventListener('abort', abort);
      resolve();
    },
  };
}

function tooLarge(): AppError {
  return new AppError('AGENT_FAILED', { message: 'The tool calls of the agent are larger than a session can hold.' });
}

/** The user's message as the session keeps it: of files their names only, as they are gone when the interaction ends. */
function rememberedMessage(message: string, files: readonly UploadedFile[]): string {
  return [message, ...files.map(({ name, type, size }) => `[file: ${name}, ${type}, ${size} bytes]`)].join('\n');
}

/** Cuts a long piece between characters. */
function* partsOf(piece: string): Generator<string> {
  for (let from = 0; from < piece.length; ) {
    let to = Math.min(piece.length, from + MAX_PIECE_LENGTH);
    if (to < piece.length && isHighSurrogate(piece.charCodeAt(to - 1))) to -= 1;
    yield piece.slice(from, to);
    from = to;
  }
}

function cut(text: string): string {
  if (text.length <= MAX_TOOL_TEXT_LENGTH) return text;
  return text.slice(0, isHighSurrogate(text.charCodeAt(MAX_TOOL_TEXT_LENGTH - 1)) ? MAX_TOOL_TEXT_LENGTH - 1 : MAX_TOOL_TEXT_LENGTH);
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

/** Arguments as an event shows them: parsed, or as text where they are too long or no JSON. */
function shownArguments(argumentsJson: string): unknown {
  if (argumentsJson.length > MAX_TOOL_TEXT_LENGTH) return cut(argumentsJson);
  try {
    return JSON.parse(argumentsJson) as unknown;
  } catch {
    return argumentsJson;
  }
}
