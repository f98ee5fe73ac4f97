// POST /chat/stream, byte for byte.
import t, { type Test } from 'tap';
import { messagesOf, parseEventStream, type StreamedEvent } from '../../helpers/event_stream.ts';
import { stream } from '../../helpers/http_client.ts';
import { directed, endsCleanly, serveModel } from '../../helpers/serve.ts';

const server = await serveModel(t, 'scripted');
const completions = await serveModel(t, 'scripted_chat');
const { url } = server;

async function follow(t: Test, body: object, base = url): Promise<readonly StreamedEvent[]> {
  const { events, done } = parseEventStream(await (await stream(base, body)).ended);
  t.ok(done, '[DONE] is the last');
  t.strictSame(events.map(({ id }) => id), events.map((_event, index) => index + 1), 'the ids are 1, 2, 3 …');
  t.equal(events[0]?.content.type, 'start');
  t.equal(events.filter(({ content }) => content.type === 'output' || content.type === 'error').length, 1, 'one terminal event');
  t.match(events.at(-1)?.content.type, /^(output|error)$/);
  return events;
}
const typesOf = (events: readonly StreamedEvent[]): string => events.map(({ content }) => content.type).join(' ');

t.test('the bytes are those of the contract', async (t) => {
  const interaction_id = '11111111-2222-4333-8444-555555555555';
  const session_id = 'a "quoted" é';
  const { status, headers, ended } = await stream(url, { message: directed({ text: 'Hel lo' }), session_id, interaction_id });
  t.equal(status, 200);
  t.match(headers, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    'x-interaction-id': interaction_id,
    'x-session-id': encodeURIComponent(session_id),
    'x-request-id': /./,
  });
  const model = '{"model_id":"scripted-1","provider":"openai"}';
  const ids = `"session_id":"a \\"quoted\\" é","interaction_id":"${interaction_id}"`;
  const usage = '{"input_tokens":7,"output_tokens":2,"total_tokens":9}';
  t.equal(
    await ended,
    `id: 1\ndata: {"content":{"type":"start","agent":"scripted","model":${model}},${ids}}\n\n` +
      `id: 2\ndata: {"content":{"type":"text","content":"Hel","message":1},${ids}}\n\n` +
      `id: 3\ndata: {"content":{"type":"text","content":" lo","message":1},${ids}}\n\n` +
      `id: 4\ndata: {"content":{"type":"output","content":"Hel lo","agent":"scripted","model":${model},"token_usage":${usage},` +
      `"finish_reason":"stop","tool_calls":[]},${ids}}\n\n` +
      'data: [DONE]\n\n',
  );
});

t.test('the pieces of the last message are the output, byte for byte, whatever they hold', async (t) => {
  const texts = [
    'Line one\nline two\r\n\r\n  data: [DONE]\n\nid: 7', 'A 👩‍👩‍👧 family\u2028and\u0000more', '"quoted" \\ é ￿', ' leading and trailing  ',
  ];
  for (const base of [url, completions.url]) {
    for (const text of texts) {
      for (const splitBytes of [1, 3, 4096]) {
        const events = await follow(t, { message: directed({ text, splitBytes }) }, base);
        t.equal(messagesOf(events).at(-1), events.at(-1)?.content.content);
        t.equal(events.at(-1)?.content.content, text);
      }
    }
  }
});

t.test('a pair of surrogates that the model splits is one piece', async (t) => {
  const events = await follow(t, { message: directed({ messages: ['Hi \ud83d', '\ude42 there'] }) }, completions.url);
  t.equal(events.at(-1)?.content.content, 'Hi 🙂 there');
  t.ok(events.every(({ content }) => content.content?.isWellFormed() ?? true));
});

t.test('half a pair that stays alone is a replacement character', async (t) => {
  const events = await follow(t, { message: directed({ messages: ['Hi \ud83d', ' there \ude42', ' end \ud83d'] }) }, completions.url);
  t.equal(events.at(-1)?.content.content, 'Hi � there � end �');
  t.strictSame(messagesOf(events), ['Hi � there � end �']);
});

t.test('with tools there are two messages, and the last one is the output', async (t) => {
  for (const base of [url, completions.url]) {
    const events = await follow(
      t,
      { message: directed([{ text: 'Let me see.', calls: [{ name: 'sized', arguments: { length: 2 } }] }, { text: 'It is xx.' }]) },
      base,
    );
    t.strictSame(messagesOf(events), ['Let me see.', 'It is xx.']);
    t.equal(events.at(-1)?.content.content, 'It is xx.');
    t.equal(typesOf(events), 'start text text text text text text output', 'tools are neither shown nor numbered');
  }
});

t.test('a model may say several messages in one turn', async (t) => {
  const events = await follow(t, { message: directed({ messages: ['First one.', 'Second one.'] }) });
  t.strictSame(messagesOf(events), ['First one.', 'Second one.']);
  t.equal(events.at(-1)?.content.content, 'Second one.');
});

t.test('verbose shows reasoning, calls and results', async (t) => {
  const message = directed([{ reasoning: 'Hm well', calls: [{ name: 'sized', arguments: { length: 2 }, id: 'call_9' }] }, { text: 'Done' }]);
  for (const base of [url, completions.url]) {
    const events = await follow(t, { message, verbose: true }, base);
    t.equal(typesOf(events), 'start reasoning reasoning tool_call tool_result text output');
    t.strictSame(events[1]?.content, { type: 'reasoning', content: 'Hm', message: 1 });
    t.strictSame(events[3]?.content, { type: 'tool_call', id: 'call_9', name: 'sized', arguments: { length: 2 } });
    const { duration_ms, ...result } = events[4]?.content ?? { duration_ms: null };
    t.strictSame(result, { type: 'tool_result', id: 'call_9', name: 'sized', content: 'xx', is_error: false });
    t.type(duration_ms, 'number');
    t.equal(typesOf(await follow(t, { message, verbose: false }, base)), 'start text output');
  }
});

t.test('a tool that fails is an error result, not the end', async (t) => {
  const message = directed([{ calls: [{ name: 'nothing', arguments: {} }] }, { text: 'Sorry' }]);
  const events = await follow(t, { message, verbose: true });
  t.match(events.find(({ content }) => content.type === 'tool_result')?.content, { is_error: true, content: 'There is no tool named nothing.' });
  t.equal(events.at(-1)?.content.content, 'Sorry');
});

t.test('arguments and results of events are cut at 32 KiB', async (t) => {
  const message = directed([{ calls: [{ name: 'sized', arguments: { length: 40_000, more: 'y'.repeat(40_000) } }] }, { text: 'Done' }]);
  const events = await follow(t, { message, verbose: true });
  const of = (type: string) => events.find(({ content }) => content.type === type)?.content;
  t.equal(of('tool_result')?.content?.length, 32_768);
  t.equal(String(of('tool_call')?.['arguments']).length, 32_768);
  t.match(of('output')?.['tool_calls'], [{ truncated: true }]);
});

t.test('an answer of many pieces comes whole', async (t) => {
  const events = await follow(t, { message: directed({ words: 5000 }) });
  t.equal(events.length, 5002);
  t.equal(messagesOf(events)[0], events.at(-1)?.content.content);
});

t.test('what is wrong before admission is a problem, not a stream', async (t) => {
  const { status, headers } = await stream(url, { message: '' });
  t.equal(status, 422);
  t.equal(headers['content-type'], 'application/problem+json');
});

endsCleanly(t, server, completions);
