// The body of a chat: which fields it may have, which values, and what is said of a wrong one.
import t from 'tap';
import { chat } from '../../helpers/http_client.ts';
import { endsCleanly, serve } from '../../helpers/serve.ts';

const LIMIT = 1000;
const server = await serve(t, 'puppet', { env: { MAX_MESSAGE_SIZE_BYTES: String(LIMIT) } });
const { url } = server;

const ID = 'expected a string of 1–256 characters without controls';
const GRACE = 'expected a whole number from 0 to 60000';
const MESSAGE = 'expected a string or an object';
const EMPTY = 'expected a text that is not empty';

/** A body, the field that is wrong in it, and what is said. */
const WRONG: readonly (readonly [unknown, string, string])[] = [
  [{}, 'message', MESSAGE],
  [{ message: null }, 'message', MESSAGE],
  [{ message: 1 }, 'message', MESSAGE],
  [{ message: true }, 'message', MESSAGE],
  [{ message: ['hi'] }, 'message', MESSAGE],
  [{ message: '' }, 'message', EMPTY],
  [{ message: { content: '' } }, 'message', EMPTY],
  [{ message: { text: '' } }, 'message', EMPTY],
  [{ message: 'hi', session_id: '' }, 'session_id', ID],
  [{ message: 'hi', session_id: 'x'.repeat(257) }, 'session_id', ID],
  [{ message: 'hi', session_id: 'a\u0000b' }, 'session_id', ID],
  [{ message: 'hi', session_id: 'a\nb' }, 'session_id', ID],
  [{ message: 'hi', session_id: '\ud800' }, 'session_id', ID],
  [{ message: 'hi', session_id: 5 }, 'session_id', ID],
  [{ message: 'hi', user_id: {} }, 'user_id', ID],
  [{ message: 'hi', user_id: '\u007f' }, 'user_id', ID],
  [{ message: 'hi', interaction_id: 'one' }, 'interaction_id', 'expected a UUID'],
  [{ message: 'hi', interaction_id: 1 }, 'interaction_id', 'expected a UUID'],
  [{ message: 'hi', verbose: 'true' }, 'verbose', 'expected true or false'],
  [{ message: 'hi', env: [] }, 'env', 'expected an object of strings'],
  [{ message: 'hi', env: 'A=b' }, 'env', 'expected an object of strings'],
  [{ message: 'hi', on_disconnect: 'stay' }, 'on_disconnect', 'expected "cancel" or "continue"'],
  [{ message: 'hi', disconnect_grace_ms: -1 }, 'disconnect_grace_ms', GRACE],
  [{ message: 'hi', disconnect_grace_ms: 60_001 }, 'disconnect_grace_ms', GRACE],
  [{ message: 'hi', disconnect_grace_ms: 1.5 }, 'disconnect_grace_ms', GRACE],
  [{ message: 'hi', disconnect_grace_ms: '5' }, 'disconnect_grace_ms', GRACE],
  [{ message: 'hi', files: [] }, 'files', 'files cannot be named in JSON'],
  [{ message: 'hi', files: 'a.txt' }, 'files', 'files cannot be named in JSON'],
];

t.test('a wrong field is named with what was expected', async (t) => {
  for (const [body, path, message] of WRONG) {
    const { status, json } = await chat(url, body);
    t.equal(status, 422, JSON.stringify(body));
    t.equal(json['detail'], `${path}: ${message}`);
    t.strictSame(json['errors'], [{ path, message }]);
    t.equal(json['code'], 'VALIDATION_FAILED');
  }
});

t.test('all wrong fields are named, the first in the detail', async (t) => {
  const { json } = await chat(url, { message: 5, verbose: 'yes', user_id: '' });
  t.equal(json['detail'], `message: ${MESSAGE}`);
  t.strictSame((json['errors'] as { path: string }[]).map(({ path }) => path), ['message', 'user_id', 'verbose']);
});

t.test('a value in env that is no string is named by its path', async (t) => {
  const { status, json } = await chat(url, { message: 'hi', env: { GITHUB_TOKEN: 5 } });
  t.equal(status, 422);
  t.match(json['errors'], [{ path: 'env.GITHUB_TOKEN' }]);
});

t.test('a body that is no object is refused as such', async (t) => {
  for (const body of ['null', '[]', '"hi"', '5', 'true']) {
    const { status, json } = await chat(url, body);
    t.equal(status, 422, body);
    t.equal(json['detail'], 'body: expected an object', body);
  }
});

t.test('null is as if the key were absent', async (t) => {
  const nothing = { session_id: null, user_id: null, interaction_id: null, verbose: null, env: null, on_disconnect: null, disconnect_grace_ms: null };
  const { status, json } = await chat(url, { message: 'user', ...nothing, files: null });
  t.equal(status, 200);
  t.equal(json['response'], 'user');
});

t.test('unknown keys are ignored', async (t) => {
  t.equal((await chat(url, { message: 'hi', stream: true, model: 'gpt', constructor: 1, __proto__: { message: 5 } })).status, 200);
  t.equal((await chat(url, '{"message":"hi","__proto__":{"verbose":"x"},"toString":1}')).status, 200);
});

t.test('an object counts by its content, then its text, else as JSON', async (t) => {
  const said = async (message: unknown): Promise<unknown> => (await chat(url, { message })).json['response'];
  t.equal(await said({ content: 'say one', text: 'say two' }), 'one');
  t.equal(await said({ role: 'user', text: 'say two' }), 'two');
  t.equal(await said({ content: ['x'], text: 'say two' }), 'two');
  t.equal(await said({ content: 5, b: [1] }), 'You said "{\\"content\\":5,\\"b\\":[1]}".');
  t.equal(await said({}), 'You said "{}".');
});

t.test('an object that counts as JSON is at most 64 levels deep', async (t) => {
  const nested = (levels: number): string => `{"message":${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}}`;
  t.equal((await chat(url, nested(64))).status, 200);
  t.match(await chat(url, nested(65)), { status: 422, json: { detail: 'message: expected an object of at most 64 levels' } });
});

t.test('user_id reaches the agent, and is "user" where nobody says', async (t) => {
  t.equal((await chat(url, { message: 'user' })).json['response'], 'user');
  t.equal((await chat(url, { message: 'user', user_id: 'Zoë' })).json['response'], 'Zoë');
});

t.test('ids have up to 256 characters', async (t) => {
  const long = 'é'.repeat(256);
  t.match(await chat(url, { message: 'user', session_id: long, user_id: long }), { status: 200, json: { session_id: long, response: long } });
});

t.test('a message has up to MAX_MESSAGE_SIZE_BYTES of UTF-8, and not one more', async (t) => {
  for (const text of ['x'.repeat(LIMIT), 'é'.repeat(LIMIT / 2), '🙂'.repeat(LIMIT / 4)]) {
    t.equal((await chat(url, { message: text })).status, 200);
    const { status, json } = await chat(url, { message: `${text}x` });
    t.equal(status, 413);
    t.match(json, { code: 'PAYLOAD_TOO_LARGE', detail: `message: longer than ${LIMIT} bytes` });
  }
  t.equal(
    (await chat(url, `{"message":"${'\\u0078'.repeat(LIMIT)}"}`)).status,
    200,
    'written as escapes it is six times as long, and the same message',
  );
});

endsCleanly(t, server);
