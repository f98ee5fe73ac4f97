// Reads an event stream as strictly as the contract words it: whatever it does not name is an error.

/** An event's content: `type`, and what that type has. */
export interface EventContent {
  readonly type: string;
  readonly content?: string;
  readonly message?: number;
  readonly error?: { readonly code: string; readonly message: string };
  readonly [key: string]: unknown;
}

export interface StreamedEvent {
  readonly id: number;
  readonly content: EventContent;
  readonly session_id: string;
  readonly interaction_id: string;
}

/** @throws Error that shows the first block that is neither an event, a ping nor `[DONE]` at the end */
export function parseEventStream(text: string): { readonly events: readonly StreamedEvent[]; readonly done: boolean } {
  const events: StreamedEvent[] = [];
  const blocks = text.split('\n\n');
  if (blocks.pop() !== '') throw new Error(`the stream ends inside of an event: ${text.slice(-200)}`);
  const done = blocks.at(-1) === 'data: [DONE]';
  if (done) blocks.pop();
  for (const block of blocks) {
    if (block === ': ping') continue;
    const [, id, json] = /^id: ([1-9]\d*)\ndata: (\{[^\r\n]*\})$/.exec(block) ?? [];
    if (id === undefined || json === undefined) throw new Error(`no event of the contract: ${block.slice(0, 200)}`);
    const data = JSON.parse(json) as Omit<StreamedEvent, 'id'>;
    if (Object.keys(data).join() !== 'content,session_id,interaction_id') throw new Error(`other keys than the contract's: ${json.slice(0, 200)}`);
    events.push({ id: Number(id), ...data });
  }
  return { events, done };
}

/** The pieces of each message joined, in their order. */
export function messagesOf(events: readonly StreamedEvent[]): string[] {
  const messages: string[] = [];
  for (const { content } of events) {
    if (content.type !== 'text') continue;
    const index = (content.message ?? 0) - 1;
    messages[index] = (messages[index] ?? '') + (content.content ?? '');
  }
  return messages;
}
