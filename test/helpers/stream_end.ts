// How a stream ended, judged by all of it: numbers without a gap, one terminal event, [DONE].
import { parseEventStream, type StreamedEvent } from './event_stream.ts';

/** `output`, the code of its error, or what is wrong with it. */
export function endOf(text: string): string {
  if (!text.endsWith('\n\n')) return 'cut';
  const { events, done } = parseEventStream(text);
  const terminals = events.filter(isTerminal);
  if (!done) return 'no [DONE]';
  if (events.some(({ id }, index) => id !== index + 1)) return 'a gap';
  if (terminals.length !== 1 || terminals[0] !== events.at(-1)) return `${terminals.length} terminal events`;
  const { type, error } = (terminals[0] as StreamedEvent).content;
  return error?.code ?? type;
}

function isTerminal({ content }: StreamedEvent): boolean {
  return content.type === 'output' || content.type === 'error';
}
