// POST /chat: what an answer looks like, to the key.
import { randomUUID } from 'node:crypto';
import t from 'tap';
import { chat, type Answer, type Json } from '../../helpers/http_client.ts';
import { directed, endsCleanly, serveModel } from '../../helpers/serve.ts';

interface Content extends Json {
  readonly tool_calls: readonly Json[];
  readonly token_usage: Json;
}

const server = await serveModel(t, 'scripted');
const { url, model } = server;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const contentOf = ({ json }: Answer): Content => json['content'] as Content;
const sized = (length: number) => [{ calls: [{ name: 'sized', arguments: { length }, id: 'call_1' }] }, { text: 'Done now.' }];

t.test('an answer has the keys of the contract, and no other', async (t) => {
  const answer = await chat(url, { message: directed({ text: 'Hello to you.' }) });
  t.equal(answer.status, 200);
  t.equal(answer.headers['content-type'], 'application/json');
  const { response, session_id, interaction_id, content, timing } = answer.json;
  t.strictSame(Object.keys(answer.json), ['response', 'session_id', 'interaction_id', 'content', 'timing']);
  t.equal(response, 'Hello to you.');
  t.match(session_id, UUID);
  t.match(interaction_id, UUID);
  t.strictSame(content, {
    content: 'Hello to you.',
    agent: 'scripted',
    model: { model_id: 'scripted-1', provider: 'openai' },
    token_usage: { input_tokens: 7, output_tokens: 3, total_tokens: 10 },
    finish_reason: 'stop',
    tool_calls: [],
  });
  t.strictSame(Object.keys(timing as object), ['queue_ms', 'time_to_first_token_ms', 'total_ms']);
  t.equal(answer.headers['x-interaction-id'], interaction_id);
  t.equal(answer.headers['x-session-id'], session_id);
});

t.test('the times are in their order, and those of the model', async (t) => {
  const { json } = await chat(url, { message: directed({ words: 3, delayMs: 100 }) });
  const { queue_ms, time_to_first_token_ms, total_ms } = json['timing'] as Record<string, number>;
  t.ok(queue_ms !== undefined && time_to_first_token_ms !== undefined && total_ms !== undefined);
  t.ok(Number(queue_ms) >= 0 && Number(queue_ms) < 90, `queue ${queue_ms}`);
  t.ok(Number(time_to_first_token_ms) >= 95 && Number(time_to_first_token_ms) < Number(total_ms), `first token ${time_to_first_token_ms}`);
  t.ok(Number(total_ms) >= 290, `total ${total_ms}`);
});

t.test('the last message is the answer, and the usage is the sum of the calls', async (t) => {
  const answer = await chat(url, {
    message: directed([{ text: 'Let me see.', calls: [{ name: 'sized', arguments: { length: 2 } }] }, { text: 'Two.' }]),
  });
  t.equal(answer.json['response'], 'Two.');
  t.equal(contentOf(answer)['content'], 'Two.');
  t.strictSame(contentOf(answer).token_usage, { input_tokens: 14, output_tokens: 4, total_tokens: 18 });
});

t.test('tool calls are told by name and time; by arguments and result too where it is verbose', async (t) => {
  const [plain] = contentOf(await chat(url, { message: directed(sized(3)) })).tool_calls;
  t.strictSame(Object.keys(plain ?? {}), ['name', 'duration_ms']);
  t.match(plain, { name: 'sized', duration_ms: Number });
  const [verbose] = contentOf(await chat(url, { message: directed(sized(3)), verbose: true })).tool_calls;
  t.strictSame(Object.keys(verbose ?? {}), ['name', 'duration_ms', 'arguments', 'result']);
  t.match(verbose, { name: 'sized', arguments: { length: 3 }, result: 'xxx' });
});

t.test('a result is cut at 32 KiB, and says so', async (t) => {
  const atLimit = contentOf(await chat(url, { message: directed(sized(32_768)), verbose: true })).tool_calls[0];
  t.equal(String(atLimit?.['result']).length, 32_768);
  t.notOk('truncated' in (atLimit ?? {}));
  const beyond = contentOf(await chat(url, { message: directed(sized(32_769)), verbose: true })).tool_calls[0];
  t.equal(String(beyond?.['result']).length, 32_768);
  t.equal(beyond?.['truncated'], true);
});

t.test('no usage is null; a finish reason is the model\'s', async (t) => {
  const content = contentOf(await chat(url, { message: directed({ text: 'Cut', usage: 'none', finish: 'length' }) }));
  t.equal(content.token_usage, null);
  t.equal(content['finish_reason'], 'length');
});

t.test('ids that the client gives come back, percent-encoded in the headers', async (t) => {
  const interaction_id = randomUUID();
  const session_id = 'Zoë’s session/1 % 🙂';
  const { status, json, headers } = await chat(url, { message: 'hi', session_id, interaction_id: interaction_id.toUpperCase() });
  t.equal(status, 200);
  t.match(json, { session_id, interaction_id });
  t.equal(headers['x-session-id'], encodeURIComponent(session_id));
  t.equal(headers['x-interaction-id'], interaction_id);
});

t.test('an interaction_id that is known is refused, so that a repeated request runs once', async (t) => {
  const interaction_id = randomUUID();
  const before = model.requests.length;
  const [first, second] = await Promise.all([chat(url, { message: 'hi', interaction_id }), chat(url, { message: 'hi', interaction_id })]);
  t.strictSame([first.status, second.status].sort(), [200, 409]);
  t.match(await chat(url, { message: 'hi', interaction_id }), { status: 409, json: { code: 'INTERACTION_EXISTS' } });
  t.equal(model.requests.length, before + 1);
});

t.test('a failed interaction is a problem with its ids', async (t) => {
  const interaction_id = randomUUID();
  const answer = await chat(url, { message: directed({ fail: { status: 401 } }), interaction_id, session_id: 'failing' });
  t.match(answer, { status: 502, json: { code: 'MODEL_AUTH_FAILED', status: 502 } });
  t.match(answer.headers, { 'content-type': 'application/problem+json', 'x-interaction-id': interaction_id, 'x-session-id': 'failing' });
});

endsCleanly(t, server);
