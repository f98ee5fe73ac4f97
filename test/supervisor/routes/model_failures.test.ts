// What a client sees when the model fails: an event in a stream, a status where it waits, and always an end, by both APIs.
import t from 'tap';
import { messagesOf, parseEventStream } from '../../helpers/event_stream.ts';
import { chat, stream } from '../../helpers/http_client.ts';
import { directed, endsCleanly, serveModel } from '../../helpers/serve.ts';

const servers = [await serveModel(t, 'scripted'), await serveModel(t, 'scripted_chat')];

/** A step of the model, the code that it ends with, and what is said. */
const FAILURES: readonly (readonly [object, string, RegExp])[] = [
  [{ fail: { status: 401, message: 'Wrong key sk-of-the-server' } }, 'MODEL_AUTH_FAILED', /^The model refused the key\.$/],
  [{ fail: { status: 403 } }, 'MODEL_AUTH_FAILED', /^The model refused the key\.$/],
  [{ fail: { status: 400, message: 'No such model' } }, 'MODEL_FAILED', /status 400: No such model\.$/],
  [{ fail: { status: 404, message: 'at sk-of-the-server' } }, 'MODEL_FAILED', /status 404: at \*\*\*\.$/],
  [{ fail: { status: 500, message: 'overload' } }, 'MODEL_FAILED', /status 500: overload\.$/],
  [{ fail: { status: 429, retryAfter: '30' } }, 'MODEL_FAILED', /status 429.* It asks to wait 30 s\.$/],
  [{ fail: { status: 0, reset: true } }, 'MODEL_FAILED', /^The model's server could not be reached/],
  [{ stall: 'headers' }, 'MODEL_FAILED', /^The model's server was silent for 1 s\.$/],
  [{ stall: 'body' }, 'MODEL_FAILED', /^The model's server was silent for 1 s\.$/],
  [{ words: 9, stall: 2 }, 'MODEL_FAILED', /^The model's server was silent for 1 s\.$/],
  [{ words: 9, cut: 2 }, 'MODEL_FAILED', /^The model's answer was cut off before its end\.$/],
  [{ words: 9, stop: 2, noDone: true }, 'MODEL_FAILED', /^The model's answer was cut off before its end\.$/],
  [{ garbage: 'bad_json' }, 'MODEL_FAILED', /^The model's server sent /],
  [{ garbage: 'not_sse' }, 'MODEL_FAILED', /^The model's (server|answer) /],
  [{ garbage: 'html' }, 'MODEL_FAILED', /^The model's server sent /],
  [{ garbage: 'shape' }, 'MODEL_FAILED', /^The model's server sent /],
  [{ garbage: 'error_event' }, 'MODEL_FAILED', /reported an error: scripted overload\.$/],
  [{ garbage: 'huge_line' }, 'MODEL_FAILED', /^An event of the model's server was too large\.$/],
  [{ garbage: 'json_error' }, 'MODEL_FAILED', /^The model's server /],
  [{ calls: [{ name: 'sized', arguments: { length: 1 } }] }, 'MAX_TURNS', /^The agent had no answer after 3 turns\.$/],
];

t.test('a stream ends with the error as its event, and a chat with its status', async (t) => {
  // At once, because some of them take their time by their nature.
  await Promise.all(
    servers.flatMap(({ url }) =>
      FAILURES.map(async ([step, code, words]) => {
        const message = directed(step);
        const [opened, answer] = await Promise.all([stream(url, { message }), chat(url, { message })]);
        const { events, done } = parseEventStream(await opened.ended);
        const last = events.at(-1)?.content;
        t.equal(opened.status, 200);
        t.ok(done, message);
        t.match(last, { type: 'error', error: { code: code.toLowerCase(), message: words } }, message);
        t.strictSame(Object.keys(last?.error ?? {}), ['code', 'message']);
        t.equal(events.filter(({ content }) => content.type === 'error' || content.type === 'output').length, 1, message);
        t.match(answer, { status: 502, json: { code, detail: words } }, message);
        t.notMatch(`${opened.text}${answer.text}`, /sk-of-the-server|127\.0\.0\.1|\/work|node_modules/, message);
      }),
    ),
  );
});

t.test('what came before the failure stays', async (t) => {
  for (const { url } of servers) {
    const { events } = parseEventStream(await (await stream(url, { message: directed({ text: 'one two three', cut: 2 }) })).ended);
    t.strictSame(messagesOf(events), ['one two']);
  }
});

t.test('a model that is busy for a moment is asked again, as late as it wants', async (t) => {
  for (const { url, model } of servers) {
    const failures = { status: { status: 429, retryAfter: '1' }, reset: { status: 0, reset: true }, server: { status: 503 } };
    for (const [name, fail] of Object.entries(failures)) {
      const before = model.requests.length;
      const { status, json } = await chat(url, { message: directed({ text: `Back after ${name}`, fail: { ...fail, times: 1 } }) });
      t.match({ status, response: json['response'] }, { status: 200, response: `Back after ${name}` });
      t.equal(model.requests.length, before + 2);
      if (name === 'status') t.ok(Number((json['timing'] as { total_ms: number }).total_ms) >= 990);
    }
  }
});

t.test('a key that is refused is not tried again', async (t) => {
  for (const { url, model } of servers) {
    const before = model.requests.length;
    await chat(url, { message: directed({ fail: { status: 401 } }) });
    t.equal(model.requests.length, before + 1);
  }
});

endsCleanly(t, ...servers);
