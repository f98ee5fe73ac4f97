// What a model says of its reasoning, in the several places where servers put it.
import { isObject } from './stream_check.ts';

/** The text of a chunk of either API, or of a whole reasoning item; '' where it has none. */
export function reasoningOf(raw: Readonly<Record<string, unknown>>): string {
  switch (raw['type']) {
    case 'response.reasoning_summary_text.delta':
    case 'response.reasoning_text.delta':
      return textIn(raw, 'delta');
    case 'reasoning':
      return [...partsIn(raw, 'content'), ...partsIn(raw, 'rawContent')].map((part) => textIn(part, 'text')).join('\n');
    case undefined:
      return partsIn(raw, 'choices').map((choice) => reasoningOfDelta(choice['delta'])).join('');
    default:
      return '';
  }
}

/** `reasoning_content` of DeepSeek and vLLM, `reasoning` of OpenRouter and Ollama. */
function reasoningOfDelta(delta: unknown): string {
  return isObject(delta) ? textIn(delta, 'reasoning_content') || textIn(delta, 'reasoning') : '';
}

function textIn(value: Readonly<Record<string, unknown>>, name: string): string {
  const text = value[name];
  return typeof text === 'string' ? text : '';
}

function partsIn(value: Readonly<Record<string, unknown>>, name: string): readonly Readonly<Record<string, unknown>>[] {
  const parts = value[name];
  return Array.isArray(parts) ? parts.filter(isObject) : [];
}
