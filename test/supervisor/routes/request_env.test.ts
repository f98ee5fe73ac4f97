// Variables that a request sets: which, how, and whose environment they reach.
import t from 'tap';
import { chat, type Sent } from '../../helpers/http_client.ts';
import { exchange, head } from '../../helpers/raw_socket.ts';
import { directed, endsCleanly, serveModel } from '../../helpers/serve.ts';

const server = await serveModel(t, 'scripted');
const { url } = server;
const KEY_OF_SERVER = 'Bearer sk-of-the-server';

/** The Authorization that the model's server was sent. */
async function keySent(more: object, headers: Sent['headers'] = {}): Promise<unknown> {
  return (await chat(url, { message: directed({ echo: 'authorization' }), ...more }, headers)).json['response'];
}

t.test('without any, the model gets the server\'s own key', async (t) => {
  t.equal(await keySent({}), KEY_OF_SERVER);
  t.equal(await keySent({ env: { OPENAI_API_KEY: null } }), KEY_OF_SERVER, 'null is absent');
});

t.test('a header of the variable\'s name sets it, with underscores or dashes, in any case', async (t) => {
  for (const name of ['OPENAI_API_KEY', 'OPENAI-API-KEY', 'openai_api_key', 'Openai-Api-Key']) {
    t.equal(await keySent({}, { [name]: `sk-${name}` }), `Bearer sk-${name}`);
  }
});

t.test('the body sets it, and wins over a header', async (t) => {
  t.equal(await keySent({ env: { OPENAI_API_KEY: 'sk-body' } }), 'Bearer sk-body');
  t.equal(await keySent({ env: { OPENAI_API_KEY: 'sk-body' } }, { 'openai-api-key': 'sk-header' }), 'Bearer sk-body');
});

t.test('it is gone with its interaction, and none beside it sees it', async (t) => {
  const keys = Array.from({ length: 10 }, (_, index) => (index % 2 === 0 ? `sk-${index}` : null));
  const seen = await Promise.all(keys.map((key) => keySent(key === null ? {} : { env: { OPENAI_API_KEY: key } })));
  t.strictSame(seen, keys.map((key) => (key === null ? KEY_OF_SERVER : `Bearer ${key}`)));
  t.equal(await keySent({}), KEY_OF_SERVER);
});

t.test('an unlisted variable is refused in the body, and nothing in a header', async (t) => {
  const { status, json } = await chat(url, { message: 'hi', env: { SECRET: 'x', NODE_OPTIONS: 'y' } });
  t.equal(status, 422);
  const message = "expected a variable that the agent's request_env lists";
  t.equal(json['detail'], `env.SECRET: ${message}`);
  t.strictSame(json['errors'], [{ path: 'env.SECRET', message }, { path: 'env.NODE_OPTIONS', message }]);
  t.equal(await keySent({}, { OPENAI_BASE_URL: 'http://127.0.0.1:1', SECRET: 'x' }), KEY_OF_SERVER);
  t.equal((await chat(url, '{"message":"hi","env":{"constructor":"x"}}')).status, 422);
});

t.test('the same variable by two headers is refused', async (t) => {
  const twice = { status: 400, json: { code: 'DUPLICATE_VARIABLE', detail: 'OPENAI_API_KEY is set by more than one header.' } };
  t.match(await chat(url, { message: 'hi' }, { OPENAI_API_KEY: 'a', 'OPENAI-API-KEY': 'b' }), twice);
  t.match(await chat(url, { message: 'hi' }, { 'OPENAI-API-KEY': ['a', 'a'] }), twice);
});

t.test('a value has at most 8 KiB of UTF-8 and no NUL', async (t) => {
  const expected = 'expected a text of at most 8 KiB without NUL';
  const set = (value: string) => chat(url, { message: 'hi', env: { GITHUB_TOKEN: value } });
  t.equal((await set('x'.repeat(8192))).status, 200);
  for (const value of ['x'.repeat(8193), `${'é'.repeat(4096)}x`, 'a\u0000b', '\ud800']) {
    t.match(await set(value), { status: 422, json: { detail: `env.GITHUB_TOKEN: ${expected}` } });
  }
  const long = await chat(url, { message: 'hi' }, { GITHUB_TOKEN: 'x'.repeat(8193) });
  t.match(long, { status: 400, json: { detail: `header GITHUB_TOKEN: ${expected}` } });
});

t.test('bytes of a header are UTF-8', async (t) => {
  const body = JSON.stringify({ message: directed({ echo: 'body' }) });
  const request = head('POST /chat HTTP/1.1', 'Content-Type: application/json', `Content-Length: ${body.length}`, 'GitHub-Token: Zoë 🙂');
  const answer = JSON.parse((await exchange(url, request + body)).body) as { response: string };
  t.match(answer.response, '"instructions":"Be brief. Zoë 🙂"');
});

t.test('AGENT_REINITIALIZE asks for a scope that a local caller has not', async (t) => {
  for (const name of ['AGENT_REINITIALIZE', 'AGENT-REINITIALIZE']) {
    t.match(await chat(url, { message: 'hi' }, { [name]: 'true' }), { status: 403, json: { code: 'FORBIDDEN' } });
    t.equal((await chat(url, { message: 'hi' }, { [name]: 'false' })).status, 200);
    t.match(await chat(url, { message: 'hi' }, { [name]: 'on' }), { status: 400, json: { code: 'MALFORMED_REQUEST' } });
  }
});

endsCleanly(t, server);
