// Sees whether a model's stream is whole: the SDK takes one that ends early, or is none, for a short answer or asks again and again.
import type { StreamEvent } from '@openai/agents';
import { cutFailed, malformedFailed } from '../../engine/failure.ts';

/** How the model's server itself said that it failed. */
export interface Told {
  readonly event: 'failed' | 'incomplete';
  /** The server's words; '' where it has none. */
  readonly words: string;
}

export interface StreamCheck {
  /** @throws AppError MODEL_FAILED at an end that is none */
  take(event: StreamEvent): void;
  /** The stream is over. @throws AppError MODEL_FAILED when its end is missing */
  end(): void;
  told(): Told | null;
}

export function createStreamCheck(): StreamCheck {
  let events = 0;
  let done = false;
  let told: Told | null = null;
  /** Of chat completions: chunks came, and one of them had the finish reason. */
  let chunks = false;
  let finished = false;

  const takeRaw = (raw: unknown): void => {
    if (!isObject(raw)) return;
    if (Array.isArray(raw['choices'])) {
      chunks = true;
      finished ||= finishReasonOf(raw) !== null;
    }
    told = toldBy(raw) ?? told;
  };

  return {
    take(event) {
      if (event.type === 'model') takeRaw(event.event);
      if (event.type === 'response_done') {
        done = true;
        if (events === 0 && event.response.output.length === 0) throw malformedFailed('something else than a stream of events');
        if (chunks && !finished) throw cutFailed();
      }
      events += 1;
    },
    end() {
      if (!done) throw events === 0 ? malformedFailed('something else than a stream of events') : cutFailed();
    },
    told: () => told,
  };
}

/** Of a chunk of chat completions; null of one that is not the last. */
export function finishReasonOf(chunk: Readonly<Record<string, unknown>>): string | null {
  const choices: readonly unknown[] = Array.isArray(chunk['choices']) ? chunk['choices'] : [];
  const reason = choices.filter(isObject).map((choice) => choice['finish_reason']).find((each) => typeof each === 'string');
  return reason === undefined ? null : String(reason);
}

function toldBy(raw: Readonly<Record<string, unknown>>): Told | null {
  const response = isObject(raw['response']) ? raw['response'] : {};
  switch (raw['type']) {
    case 'response.failed':
      return { event: 'failed', words: wordsOf(response['error'], 'message') };
    case 'response.error':
    case 'error':
      return { event: 'failed', words: wordsOf(raw['error'], 'message') || wordsOf(raw, 'message') };
    case 'response.incomplete':
      return { event: 'incomplete', words: wordsOf(response['incomplete_details'], 'reason') };
    default:
      return null;
  }
}

function wordsOf(value: unknown, name: string): string {
  const words = isObject(value) ? value[name] : undefined;
  return typeof words === 'string' ? words : '';
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
