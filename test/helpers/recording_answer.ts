// An Answer that only remembers: the pieces of each message, the events in their order, the session's items.
import type { SessionItem } from '../../shared/chat.ts';
import type { Answer } from '../../worker/chat/agents/agent.ts';

export interface RecordingAnswer extends Answer {
  /** Completed messages, each joined. */
  readonly messages: readonly string[];
  /** Every call but `ready`, as one line each, such as `text Hel` or `tool_call a {}`. */
  readonly log: readonly string[];
  /** How many pieces of text came. */
  readonly pieces: () => number;
  /** The agent's code that was started. */
  readonly followed: readonly Promise<unknown>[];
  /** What `ready` returns from now on. */
  hold(promise: Promise<void> | undefined): void;
}

export function recordAnswer(message: string): RecordingAnswer {
  const items: SessionItem[] = [{ type: 'message', role: 'user', content: message }];
  const messages: string[] = [];
  const log: string[] = [];
  const followed: Promise<unknown>[] = [];
  let text = '';
  let pieces = 0;
  let held: Promise<void> | undefined;
  const endMessage = (): void => {
    if (text === '') return;
    messages.push(text);
    items.push({ type: 'message', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text }] });
    log.push('end');
    text = '';
  };
  return {
    items,
    messages,
    log,
    followed,
    pieces: () => pieces,
    hold(promise) {
      held = promise;
    },
    text(piece) {
      if (piece === '') return;
      pieces += 1;
      text += piece;
      log.push(`text ${piece}`);
    },
    endMessage,
    reasoning: (piece) => void log.push(`reasoning ${piece}`),
    toolCall(id, name, argumentsJson) {
      endMessage();
      items.push({ type: 'function_call', callId: id, name, arguments: argumentsJson, status: 'completed' });
      log.push(`tool_call ${name} ${argumentsJson}`);
    },
    toolResult(id, name, content, isError) {
      endMessage();
      items.push({ type: 'function_call_result', callId: id, name, status: 'completed', output: { type: 'text', text: content } });
      log.push(`tool_result ${name} ${isError ? 'error ' : ''}${content}`);
    },
    handoff(from, to) {
      endMessage();
      log.push(`handoff ${from} ${to}`);
    },
    active: () => undefined,
    ready: () => held,
    follow: (code) => void followed.push(code),
  };
}
