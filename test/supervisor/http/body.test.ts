// What is checked before a body counts, in which order, and how much of it is read.
import t from 'tap';
import { chat, send, type Answer } from '../../helpers/http_client.ts';
import { exchange, head } from '../../helpers/raw_socket.ts';
import { endsCleanly, serve } from '../../helpers/serve.ts';

const LIMIT = 1000;
/** Six bytes for each of the message's, and what may stand beside it. */
const BODY_LIMIT = LIMIT * 3 + 1024 * 1024;
const server = await serve(t, 'puppet', { args: ['--allowed-modes', 'chat,health'], env: { MAX_MESSAGE_SIZE_BYTES: String(LIMIT) } });
const { url } = server;

const post = (body: unknown, headers: Readonly<Record<string, string>>): Promise<Answer> => send(url, '/chat', { method: 'POST', body, headers });
const HUGE = `Content-Length: ${BODY_LIMIT + 1}`;

t.test('a body is JSON in UTF-8, not encoded', async (t) => {
  for (const type of [
    'application/json', 'application/json;charset=utf-8', 'Application/JSON; charset="UTF-8"', 'application/json ; charset = utf-8',
  ]) {
    t.equal((await post({ message: 'hi' }, { 'content-type': type })).status, 200, type);
  }
  for (const type of [
    '', 'text/plain', 'application/json; charset=latin1', 'application/jsonp', 'multipart/form-data; boundary=x', 'application/json, text/plain',
  ]) {
    t.match(await post({ message: 'hi' }, { 'content-type': type }), { status: 415, json: { code: 'UNSUPPORTED_MEDIA_TYPE' } }, type);
  }
  t.equal((await post({ message: 'hi' }, { 'content-encoding': 'gzip' })).status, 415);
  t.equal((await post({ message: 'hi' }, { 'content-encoding': 'identity' })).status, 200);
});

t.test('what does not parse is refused', async (t) => {
  const wrong = [
    '', '{', '{"message":"hi"', "{'message':'hi'}", '{"message":"hi"}x', 'NaN', '{"a":1,}', '\ufeff{"message":"hi"}', '{"message":"a\nb"}',
  ];
  for (const body of wrong) t.match(await chat(url, body), { status: 400, json: { code: 'MALFORMED_JSON' } }, JSON.stringify(body));
  t.match(await chat(url, Buffer.from([0x22, 0xff, 0x22])), { status: 400, json: { detail: 'The body is not valid UTF-8.' } });
});

t.test('a body of exactly the limit is read, one byte more is not', async (t) => {
  const padded = (length: number) => `{"message":"hi"${' '.repeat(length - 16)}}`;
  t.equal((await chat(url, padded(BODY_LIMIT))).status, 200);
  const request = head('POST /chat HTTP/1.1', 'Content-Type: application/json', 'Transfer-Encoding: chunked');
  const chunk = `${(BODY_LIMIT + 1).toString(16)}\r\n${padded(BODY_LIMIT + 1)}\r\n0\r\n\r\n`;
  const answer = await exchange(url, request + chunk);
  t.equal(answer.status, 413);
  t.match(answer.body, `"detail":"The body is larger than ${BODY_LIMIT} bytes."`);
});

t.test('the checks come in the order of the contract', async (t) => {
  const credentials = ['x-api-key: a', 'authorization: Bearer b'];
  /** Each request has every fault that comes after the one it is refused for. */
  const order: readonly (readonly [string, readonly string[], number, string])[] = [
    ['PUT /nothing HTTP/1.1', credentials, 404, 'NOT_FOUND'],
    ['PUT /agent/info HTTP/1.1', credentials, 404, 'MODE_NOT_ALLOWED'],
    ['PUT /chat HTTP/1.1', credentials, 405, 'METHOD_NOT_ALLOWED'],
    ['POST /chat HTTP/1.1', credentials, 400, 'DUPLICATE_CREDENTIALS'],
    ['POST /chat HTTP/1.1', ['x-api-key: a'], 401, 'UNAUTHORIZED'],
    ['POST /chat HTTP/1.1', [], 415, 'UNSUPPORTED_MEDIA_TYPE'],
  ];
  for (const [line, fields, status, code] of order) {
    // The body is only announced: an answer that waited for it would never come.
    const answer = await exchange(url, head(line, ...fields, 'Content-Type: text/plain', HUGE));
    t.equal(answer.status, status, code);
    t.match(answer.body, `"code":"${code}"`);
  }
  t.match((await exchange(url, head('POST /chat HTTP/1.1', 'Content-Type: application/json', HUGE))).body, '"code":"PAYLOAD_TOO_LARGE"');
  t.match(await chat(url, '{"message":5'), { status: 400, json: { code: 'MALFORMED_JSON' } }, 'syntax before schema');
});

t.test('an OPTIONS request needs no credentials', async (t) => {
  t.equal((await exchange(url, head('OPTIONS /chat HTTP/1.1', 'x-api-key: a', 'authorization: Bearer b'))).status, 204);
});

t.test('a body that breaks off starts nothing', async (t) => {
  const request = head('POST /chat HTTP/1.1', 'Content-Type: application/json', 'Content-Length: 100');
  await t.rejects(exchange(url, `${request}{"message":`, 300), /kept the connection/);
  t.match((await send(url, '/status')).json, { active_requests: 0, queued_requests: 0 });
});

endsCleanly(t, server);
