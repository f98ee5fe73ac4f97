// The answer as it grows: what becomes an event, what the session keeps, and when the agent has to wait.
import t from 'tap';
import { MAX_ANSWER_LENGTH, MAX_TOOL_TEXT_LENGTH, type AgentEvent, type SessionItem } from '../../../shared/chat.ts';
import { CREDIT_WINDOW } from '../../../shared/protocol.ts';
import { createAnswer, type AnswerSettings, type GrowingAnswer } from '../../../worker/chat/answer.ts';
import { createRunningCode } from '../../../worker/chat/running_code.ts';

const END = { usage: null, model: null, finishReason: 'stop' };

interface Grown {
  readonly answer: GrowingAnswer;
  readonly events: AgentEvent[];
  /** As the line does at the end of a turn of the event loop. */
  flush(): void;
}

function grow(settings: Partial<AnswerSettings> = {}): Grown {
  const events: AgentEvent[] = [];
  const lastCalls: (() => void)[] = [];
  const line = {
    post: () => {},
    postEvent: (_id: string, json: string) => void events.push(JSON.parse(json) as AgentEvent),
    beforeFlush: (last: () => void) => void lastCalls.push(last),
    postLog: () => {},
    creditLog: () => {},
  };
  const { signal } = new AbortController();
  const answer = createAnswer({ id: 'i', agentName: 'a', message: 'hi', files: [], verbose: false, joinText: false, signal, line, code: createRunningCode(), ...settings });
  return { answer, events, flush: () => lastCalls.splice(0).forEach((last) => last()) };
}

const textOf = (events: readonly AgentEvent[]): string[] =>
  events.map((event) => (event.type === 'text' ? `${event.message}:${event.content}` : event.type));

function finished(answer: GrowingAnswer): { content: string; items: readonly SessionItem[]; rest: Record<string, unknown> } {
  const end = answer.finish(END);
  if (end.status !== 'success') throw new Error('expected a good end');
  const rest = JSON.parse(`{${end.restJson}}`) as Record<string, unknown>;
  return { content: JSON.parse(end.contentJson) as string, items: JSON.parse(end.items) as SessionItem[], rest };
}

t.test('pieces are events of a numbered message; the last message is the output, each is an item', async (t) => {
  const { answer, events } = grow();
  answer.text('Hel');
  answer.text('');
  answer.text('lo');
  answer.endMessage();
  answer.endMessage();
  answer.text('Bye');
  t.strictSame(textOf(events), ['1:Hel', '1:lo', '2:Bye']);
  const { content, items, rest } = finished(answer);
  t.equal(content, 'Bye');
  const said = (text: string) => ({ type: 'message', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text }] });
  t.strictSame(items, [{ type: 'message', role: 'user', content: 'hi' }, said('Hello'), said('Bye')]);
  t.strictSame(rest, { agent: 'a', model: null, token_usage: null, finish_reason: 'stop', tool_calls: [] });
});

t.test('half of a surrogate pair waits for its other half; what never gets one is replaced', async (t) => {
  const { answer, events } = grow();
  answer.text('a\uD83D');
  answer.text('\uDE00b');
  answer.text('\uD83D');
  answer.text('\uD83D');
  answer.text('c\uDC00');
  answer.text('\uD83D');
  t.equal(finished(answer).content, 'a😀b\uFFFD\uFFFDc\uFFFD\uFFFD');
  t.equal(textOf(events).map((piece) => piece.slice(2)).join(''), 'a😀b\uFFFD\uFFFDc\uFFFD\uFFFD');
  t.ok(events.every((event) => event.type === 'text' && event.content.isWellFormed()));
});

t.test('a long piece is cut into several events, between characters', async (t) => {
  const { answer, events } = grow();
  const long = `x${'😀'.repeat(20_000)}`;
  answer.text(long);
  t.ok(events.length > 2);
  t.ok(events.every((event) => event.type === 'text' && event.content.isWellFormed()));
  t.equal(finished(answer).content, long);
});

t.test('where nobody reads along, the pieces of one turn of the event loop are one event', async (t) => {
  const { answer, events, flush } = grow({ joinText: true, verbose: true });
  for (const piece of ['a', 'b', 'c']) answer.text(piece);
  t.strictSame(events, []);
  flush();
  answer.text('d');
  answer.reasoning('hm');
  answer.text('e');
  answer.endMessage();
  answer.text('f');
  flush();
  t.strictSame(textOf(events), ['1:abc', '1:d', 'reasoning', '1:e', '2:f']);
});

t.test('reasoning, tool calls and hand-overs are events of a verbose answer only, and items of both', async (t) => {
  for (const verbose of [false, true]) {
    const { answer, events } = grow({ verbose });
    answer.text('So');
    answer.reasoning('let me see');
    answer.toolCall('c1', 'add', '{"a":1}');
    answer.toolResult('c1', 'add', '3', false, 1.26);
    answer.handoff('a', 'b');
    t.strictSame(textOf(events), verbose ? ['1:So', 'reasoning', 'tool_call', 'tool_result', 'handoff'] : ['1:So']);
    const { items, rest } = finished(answer);
    t.strictSame(items.map(({ type }) => type), ['message', 'message', 'function_call', 'function_call_result']);
    const shown = { name: 'add', duration_ms: 1.3 };
    t.strictSame(rest['tool_calls'], [verbose ? { ...shown, arguments: { a: 1 }, result: '3' } : shown]);
  }
});

t.test('what a tool says is cut where it is shown, and whole in the session; arguments that are no JSON are shown as text', async (t) => {
  const { answer, events } = grow({ verbose: true });
  const long = `${'x'.repeat(MAX_TOOL_TEXT_LENGTH - 1)}😀`;
  answer.toolCall('c', 'read', 'not json');
  answer.toolResult('c', 'read', long, false, 1);
  t.match(events, [{ type: 'tool_call', arguments: 'not json' }, { type: 'tool_result', content: long.slice(0, -2) }]);
  const { items, rest } = finished(answer);
  t.match(items[2], { output: { text: long } });
  t.match(rest['tool_calls'], [{ truncated: true, result: long.slice(0, -2) }]);
});

t.test('an agent that is a window ahead of its reader waits until the reader has taken enough', async (t) => {
  const { answer } = grow();
  t.equal(answer.ready(), undefined);
  answer.text('x'.repeat(CREDIT_WINDOW));
  const waits = answer.ready();
  t.equal(answer.ready(), waits, 'whoever asks waits for the same');
  let resumed = false;
  void waits?.then(() => (resumed = true));
  answer.credit(100);
  await Promise.resolve();
  t.notOk(resumed);
  answer.credit(CREDIT_WINDOW / 2);
  await waits;
  t.equal(answer.ready(), undefined);
});

t.test('an abort ends the wait with its reason', async (t) => {
  const abort = new AbortController();
  const { answer } = grow({ signal: abort.signal });
  answer.text('x'.repeat(CREDIT_WINDOW));
  const waits = answer.ready();
  abort.abort(new Error('enough'));
  await t.rejects(waits ?? Promise.resolve(), { message: 'enough' });
  const { answer: late } = grow({ signal: abort.signal });
  late.text('x'.repeat(CREDIT_WINDOW));
  await t.rejects(late.ready() ?? Promise.resolve(), { message: 'enough' });
});

t.test('an answer that outgrows what a session can hold fails', async (t) => {
  const { answer } = grow({ joinText: true });
  answer.text('x'.repeat(MAX_ANSWER_LENGTH));
  t.throws(() => answer.text('x'), { code: 'AGENT_FAILED', message: /longer than 8388608 characters/ });
  const { answer: tools } = grow();
  t.throws(() => {
    for (let i = 0; i < 3; i += 1) tools.toolResult(`${i}`, 'read', 'x'.repeat(8 * 1024 * 1024), false, 1);
  }, { code: 'AGENT_FAILED' });
});
