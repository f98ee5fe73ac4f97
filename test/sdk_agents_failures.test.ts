// What a client sees when a run of an SDK agent fails: an event in a stream, a status where it waits, and always an end, by both APIs.
import t from 'tap';
import { messagesOf, parseEventStream } from './helpers/event_stream.ts';
import { chat, stream } from './helpers/http_client.ts';
import { directed, endsCleanly, serveModel } from './helpers/serve.ts';

const responses = await serveModel(t, 'sdk_weather');
const completions = await serveModel(t, 'sdk_chat_completions');
const triage = await serveModel(t, 'sdk_triage');
const calendar = await serveModel(t, 'sdk_calendar');
const servers = { responses, completions, triage, calendar };

type Failure = readonly [step: object, code: string, words: RegExp];

/** By both APIs. Those that are asked again wait a second or two before it. */
const MODEL: readonly Failure[] = [
  [{ fail: { status: 401, message: 'Wrong key sk-of-the-server' } }, 'MODEL_AUTH_FAILED', /^The model refused the key\.$/],
  [{ fail: { status: 403 } }, 'MODEL_AUTH_FAILED', /^The model refused the key\.$/],
  [{ fail: { status: 400, message: 'No such model' } }, 'MODEL_FAILED', /status 400: No such model\.$/],
  [{ fail: { status: 404, message: 'at sk-of-the-server' } }, 'MODEL_FAILED', /status 404: at \*\*\*\.$/],
  [{ fail: { status: 500, message: 'overload' } }, 'MODEL_FAILED', /status 500: overload\.$/],
  [{ fail: { status: 429, retryAfter: '0' } }, 'MODEL_FAILED', /status 429: scripted 429\.$/],
  [{ fail: { status: 0, reset: true } }, 'MODEL_FAILED', /^The model's server could not be reached/],
  [{ words: 9, cut: 2 }, 'MODEL_FAILED', /^The model's answer was cut off before its end\.$/],
  [{ words: 9, stop: 2, noDone: true }, 'MODEL_FAILED', /^The model's answer was cut off before its end\.$/],
  [{ garbage: 'bad_json' }, 'MODEL_FAILED', /^The model's server sent a chunk that is not JSON\.$/],
  [{ garbage: 'not_sse' }, 'MODEL_FAILED', /^The model's server sent something else than a stream of events\.$/],
  [{ garbage: 'html' }, 'MODEL_FAILED', /^The model's server sent something else than a stream of events\.$/],
  [{ garbage: 'shape' }, 'MODEL_FAILED', /^The model's answer was cut off before its end\.$/],
  [{ garbage: 'error_event' }, 'MODEL_FAILED', /reported an error: scripted overload\.$/],
  [{ garbage: 'json_error' }, 'MODEL_FAILED', /^The model's server /],
  [{ refusal: 'I would rather not' }, 'MODEL_FAILED', /^The model refused to answer: I would rather not\.$/],
  [{ calls: [{ name: 'unheard_of', arguments: {} }] }, 'MODEL_FAILED', /^The model did what the agent cannot follow: Tool unheard_of not found/],
];

const calling = (name: string, args: object = {}) => directed({ calls: [{ name, arguments: args }] });
const homework = directed({ text: JSON.stringify({ isMathHomework: true, reasoning: 'sums' }) });
const rude = directed({
  byInstructions: {
    'Check if': { text: JSON.stringify({ isMathHomework: false, reasoning: '' }) },
    'You determine': { calls: [{ name: 'transfer_to_History_Tutor', arguments: {} }] },
    '': { text: 'How rude.' },
  },
});
const OTHERS: readonly (readonly [keyof typeof servers, string, string, RegExp])[] = [
  ['responses', directed({ finish: 'length' }), 'MODEL_FAILED', /^The model's answer is longer than it may be\.$/],
  ['responses', calling('get_weather', { city: 'Rome' }), 'MAX_TURNS', /^The agent had no answer after 4 turns\.$/],
  ['responses', calling('fatal'), 'AGENT_FAILED', /^The agent failed\.$/],
  ['responses', calling('delete_all'), 'AGENT_FAILED', /approval, which this server cannot ask for: delete_all\.$/],
  ['triage', homework, 'GUARDRAIL', /^A guardrail of the agent refused the interaction: Math Homework Guardrail\.$/],
  ['triage', rude, 'GUARDRAIL', /^A guardrail of the agent refused the interaction: Politeness\.$/],
  ['triage', directed({ byInstructions: { 'Check if': { fail: { status: 401 } }, '': {} } }), 'MODEL_AUTH_FAILED', /^The model refused the key\.$/],
  ['calendar', directed({ text: '{"name": 42}' }), 'OUTPUT_INVALID', /^The answer of the model does not fit the schema of the agent\.$/],
  ['calendar', directed({ text: 'no JSON' }), 'OUTPUT_INVALID', /^The answer of the model does not fit the schema of the agent\.$/],
];
const STATUS: Readonly<Record<string, number>> = { GUARDRAIL: 422, AGENT_FAILED: 500 };

t.test('a stream ends with the error as its event, and a chat with its status', async (t) => {
  const apis = ['responses', 'completions'] as const;
  const both = MODEL.flatMap(([step, code, words]) => apis.map((name) => [name, directed(step), code, words] as const));
  // At once, because some of them take their time by their nature.
  await Promise.all([...both, ...OTHERS].map(async ([name, message, code, words]) => {
    const { url } = servers[name];
    const [opened, answer] = await Promise.all([stream(url, { message, verbose: true }), chat(url, { message })]);
    const { events, done } = parseEventStream(await opened.ended);
    const last = events.at(-1)?.content;
    t.ok(done, message);
    t.match(last, { type: 'error', error: { code: code.toLowerCase(), message: words } }, `${name} ${message}`);
    t.equal(events.filter(({ content }) => content.type === 'error' || content.type === 'output').length, 1, message);
    t.match(answer, { status: STATUS[code] ?? 502, json: { code, detail: words } }, `${name} ${message}`);
    t.notMatch(`${opened.text}${answer.text}`, /sk-of-the-server|127\.0\.0\.1|\/work|\/srv|node_modules/, message);
  }));
});

t.test('what came before the failure stays', async (t) => {
  for (const { url } of [responses, completions]) {
    const { events } = parseEventStream(await (await stream(url, { message: directed({ text: 'one two three', cut: 2 }) })).ended);
    t.strictSame(messagesOf(events), ['one two']);
  }
});

t.test('a tool that throws is told to the model and the reader, without its words', async (t) => {
  const message = directed([{ calls: [{ name: 'broken', arguments: {} }] }, { text: 'Sorry.' }]);
  const { events } = parseEventStream(await (await stream(responses.url, { message, verbose: true })).ended);
  t.match(events.find(({ content }) => content.type === 'tool_result')?.content, { name: 'broken', is_error: true, content: /^An error occurred/ });
  t.match(events.at(-1)?.content, { type: 'output', content: 'Sorry.' });
});

t.test('a model that is busy for a moment is asked again by the client of the package', async (t) => {
  for (const [index, { url, model }] of [responses, completions].entries()) {
    const before = model.requests.length;
    const message = directed({ text: `Back ${index}`, fail: { status: 429, retryAfter: '0', times: 1 } });
    t.match(await chat(url, { message }), { status: 200, json: { response: `Back ${index}` } });
    t.equal(model.requests.length, before + 2);
  }
});

t.test('nothing of the key reaches the log', async (t) => {
  for (const { output } of Object.values(servers)) t.notMatch(output.stderr, /sk-of-the-server(?! at)/);
});

endsCleanly(t, ...Object.values(servers));
