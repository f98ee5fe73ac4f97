// One interaction as its readers and its caller see it: state, events, result.
import type { InteractionStatus, ModelName, TokenUsage, UploadedFile } from '../../shared/chat.ts';
import { eventCode, type EndCode } from '../../shared/errors.ts';
import type { InteractionTask } from '../../shared/protocol.ts';
import type { TokenReference } from '../access/caller.ts';
import type { RequestFacts } from '../logs/request_facts.ts';
import { EventRing } from './ring.ts';

/** What is asked for; validated, with every default filled in. */
export interface InteractionRequest {
  readonly id: string;
  readonly sessionId: string;
  /** The server made the session's id: nobody may ever come back to it. */
  readonly sessionIsNew: boolean;
  readonly userId: string;
  /** The caller: what it starts is found by it alone. */
  readonly owner: string;
  /** The caller's token: the interaction ends with it. null: without one. */
  readonly token: TokenReference | null;
  /** What its caller's limits are counted by. */
  readonly limitKey: string;
  /** What the log keeps of its request's head; null: it is not logged. */
  readonly facts: RequestFacts | null;
  readonly message: string;
  readonly files: readonly UploadedFile[];
  readonly verbose: boolean;
  readonly env: Readonly<Record<string, string>>;
  /** It runs in a worker that is started for it. */
  readonly reinitialize: boolean;
  readonly onDisconnect: 'cancel' | 'continue';
  readonly disconnectGraceMs: number;
  /** The starting connection reads the events, at its pace. */
  readonly streamed: boolean;
}

export interface InteractionError {
  readonly code: EndCode;
  readonly message: string;
}

/** How an interaction ends: with the last message as a JSON string and the other members of the result, or with an error. */
export type Outcome = { readonly contentJson: string; readonly restJson: string } | InteractionError;

export interface Timing {
  readonly queue_ms: number;
  readonly time_to_first_token_ms: number | null;
  readonly total_ms: number;
}

/** Somebody who follows the events. */
export interface EventReader {
  /** There is more after the reader's place, or the end. */
  wake(): void;
  /** Whether it has not taken what it was given: its silence is its own. */
  readonly behind: boolean;
  /** Id of the last event that it was given. */
  readonly last: number;
}

/** Bytes that an ended interaction takes beside its events and result, roughly. */
const OWN_BYTES = 1024;

export class Interaction {
  /** Without its message and variables once it is over. */
  request: InteractionRequest;
  readonly ring = new EventRing();
  /** ms since 1970. */
  readonly createdAt = Date.now();
  /** What follows an event in its `data:` line. */
  readonly envelopeEnd: string;
  /** Resolves when the terminal event is there. */
  readonly ended: Promise<void>;
  readonly #agentName: string;
  readonly #end = Promise.withResolvers<void>();
  readonly #readers = new Set<EventReader>();
  readonly #admitted = performance.now();
  #begun: number | undefined;
  #firstToken: number | undefined;
  #finished: number | undefined;
  status: InteractionStatus = 'queued';
  startedAt: number | null = null;
  endedAt: number | null = null;
  /** The `OutputContent` as JSON without its braces; null before a good end. */
  resultJson: string | null = null;
  /** `contentJson` of the same. */
  responseJson = '""';
  error: InteractionError | null = null;
  usage: TokenUsage | null = null;
  /** The one that answers, where that is known. */
  model: ModelName | null = null;
  /** The starting connection, as long as it follows the events: the worker waits for it. */
  pacer: EventReader | null = null;

  constructor(request: InteractionRequest, agentName: string) {
    this.request = request;
    this.#agentName = agentName;
    this.envelopeEnd = `,"session_id":${JSON.stringify(request.sessionId)},"interaction_id":"${request.id}"}`;
    this.ended = this.#end.promise;
  }

  get id(): string {
    return this.request.id;
  }

  get isOver(): boolean {
    return this.#finished !== undefined;
  }

  get ageMs(): number {
    return performance.now() - this.#admitted;
  }

  get timing(): Timing {
    const since = (at: number): number => Math.round((at - this.#admitted) * 10) / 10;
    return {
      queue_ms: since(this.#begun ?? this.#finished ?? performance.now()),
      time_to_first_token_ms: this.#firstToken === undefined ? null : since(this.#firstToken),
      total_ms: since(this.#finished ?? performance.now()),
    };
  }

  /** Memory that it takes, in bytes, roughly. */
  get bytes(): number {
    return OWN_BYTES + 2 * (this.ring.length + this.responseJson.length + (this.resultJson?.length ?? 0));
  }

  get hasReaders(): boolean {
    return this.#readers.size > 0;
  }

  /** @param pacing the worker waits for this reader */
  addReader(reader: EventReader, pacing: boolean): void {
    this.#readers.add(reader);
    if (pacing) this.pacer = reader;
  }

  removeReader(reader: EventReader): void {
    this.#readers.delete(reader);
    if (this.pacer === reader) this.pacer = null;
  }

  /** A worker has it. */
  begin(model: ModelName | null): void {
    if (this.#begun !== undefined) return;
    this.#begun = performance.now();
    this.startedAt = Date.now();
    this.status = 'running';
    this.model = model;
    this.#append([`{"type":"start","agent":${JSON.stringify(this.#agentName)},"model":${JSON.stringify(model)}}`]);
  }

  /** @param events the JSON of each @returns how much that is, in UTF-16 units */
  add(events: readonly string[]): number {
    if (this.#firstToken === undefined && events.some(isText)) this.#firstToken = performance.now();
    return this.#append(events);
  }

  /** Adds the terminal event. To be called once. */
  end(outcome: Outcome): void {
    this.status = statusOf(outcome);
    if ('code' in outcome) {
      const { code, message } = outcome;
      this.error = { code, message };
      this.#finish(`{"type":"error","error":{"code":"${eventCode(code)}","message":${JSON.stringify(message)}}}`);
    } else {
      const { contentJson, restJson } = outcome;
      this.responseJson = contentJson;
      this.resultJson = `"content":${contentJson},${restJson}`;
      this.#finish(`{"type":"output",${this.resultJson}}`);
    }
  }

  #append(events: readonly string[]): number {
    const units = this.ring.append(events, this.pacer?.last ?? this.ring.lastId);
    for (const reader of this.#readers) reader.wake();
    return units;
  }

  #finish(terminalEvent: string): void {
    this.#finished = performance.now();
    this.endedAt = Date.now();
    this.request = { ...this.request, facts: null, message: '', files: [], env: {} };
    this.#append([terminalEvent]);
    this.#end.resolve();
  }
}

export function statusOf(outcome: Outcome): Extract<InteractionStatus, 'success' | 'error' | 'cancelled' | 'timeout'> {
  if (!('code' in outcome)) return 'success';
  return outcome.code === 'CANCELLED' ? 'cancelled' : outcome.code === 'TIMEOUT' ? 'timeout' : 'error';
}

/** What a worker is sent of it. */
export function taskOf(request: InteractionRequest, history: Pick<InteractionTask, 'turns' | 'turnCount'>): Omit<InteractionTask, 'seat'> {
  const { id, sessionId, userId, message, files, env, verbose, streamed } = request;
  return { id, sessionId, userId, message, files, env, verbose, joinText: !streamed, ...history };
}

function isText(eventJson: string): boolean {
  return eventJson.startsWith('{"type":"text"');
}
