// The record of an interaction: what is known of it when it is admitted, and how it ended.
import { MAX_ANSWER_LENGTH, type ModelName } from '../../shared/chat.ts';
import { ERRORS, eventCode } from '../../shared/errors.ts';
import type { LoggedFile, LogRecord } from '../../shared/log_record.ts';
import { statusOf, type Interaction, type InteractionError, type Outcome } from '../interactions/interaction.ts';
import type { EventBatch } from '../interactions/ring.ts';
import { partialAnswer } from './partial_answer.ts';
import type { Redaction } from './redaction.ts';
import type { RequestFacts } from './request_facts.ts';

export interface RecordSettings {
  readonly agentName: string;
  /** false: figures only; texts and files are null. */
  readonly keepsContent: boolean;
}

/** An interaction that is about to end: its request is still whole, its time goes on. */
export interface EndingInteraction extends Pick<Interaction, 'request' | 'timing' | 'usage'> {
  /** The one that answered, where that is known. */
  readonly model: ModelName | null;
  /** Its events, as far as they are kept. */
  readonly ring: { newestFirst(): Iterable<EventBatch> };
}

/** The record of an interaction that was just admitted: what is kept of it, should the server not live to see its end. */
export function openRecord(interaction: Pick<Interaction, 'request' | 'createdAt'>, facts: RequestFacts, settings: RecordSettings): LogRecord {
  const { id, sessionId, userId, owner, message } = interaction.request;
  const { redact, redactId } = facts;
  return {
    interaction_id: id,
    timestamp: new Date(interaction.createdAt).toISOString(),
    agent_name: settings.agentName,
    session_id: redactId(sessionId),
    user_id: redactId(userId),
    owner,
    endpoint: facts.endpoint,
    input_message: settings.keepsContent ? keptText(message, redact) : null,
    output_response: null,
    request_headers: facts.headers,
    model_info: null,
    token_usage: null,
    total_tokens: null,
    response_time_ms: null,
    time_to_first_token_ms: null,
    queue_ms: null,
    status: 'interrupted',
    error_code: null,
    error_message: null,
    files: null,
  };
}

/** @param opened its record so far, which is left as it is */
export function endRecord(
  opened: LogRecord,
  interaction: EndingInteraction,
  outcome: Outcome,
  redact: Redaction,
  settings: RecordSettings,
): LogRecord {
  const { request, timing, usage, model } = interaction;
  return {
    ...opened,
    output_response: settings.keepsContent ? answerOf(interaction, outcome, redact) : null,
    model_info: model,
    token_usage: usage,
    total_tokens: usage === null ? null : Math.min(usage.total_tokens, Number.MAX_SAFE_INTEGER),
    response_time_ms: timing.total_ms,
    time_to_first_token_ms: timing.time_to_first_token_ms,
    queue_ms: timing.queue_ms,
    status: statusOf(outcome),
    error_code: 'code' in outcome ? eventCode(outcome.code) : null,
    error_message: 'code' in outcome ? errorMessage(outcome, redact, settings) : null,
    files: settings.keepsContent ? request.files.map(({ name, type, size }): LoggedFile => ({ name: redact(name), type, size })) : null,
  };
}

function answerOf({ ring }: EndingInteraction, outcome: Outcome, redact: Redaction): string | null {
  const text = 'code' in outcome ? partialAnswer(ring.newestFirst()) : (JSON.parse(outcome.contentJson) as string);
  return text === null ? null : keptText(text, redact);
}

/** The words may be the agent's or the model's own, and quote what was said; those of the table never do. */
function errorMessage({ code, message }: InteractionError, redact: Redaction, { keepsContent }: RecordSettings): string {
  return keepsContent ? redact(message) : ERRORS[code].message;
}

/** As long as an answer may be; only a message can be longer, where MAX_MESSAGE_SIZE_BYTES lets it. */
function keptText(text: string, redact: Redaction): string {
  return redact(text).slice(0, MAX_ANSWER_LENGTH).toWellFormed();
}
