// Forms, well made and not: which are read, what is said of the others, and that nothing of them stays.
import { connect } from 'node:net';
import t from 'tap';
import { send } from '../../helpers/http_client.ts';
import { BOUNDARY, chatForm, fileOf, FORM_END, FORM_TYPE, formOf, rawPart, uploadedPaths, type FormPart } from '../../helpers/multipart.ts';
import { exchange, head } from '../../helpers/raw_socket.ts';
import { endsCleanly, serve } from '../../helpers/serve.ts';
import { waitFor } from '../../helpers/wait_for.ts';

const MB = 1024 * 1024;
const server = await serve(t, 'clerk', { env: { MAX_MESSAGE_SIZE_BYTES: '1000' } });
const { url } = server;

const PATH = '/chat/with-files';
const LIST: FormPart = ['message', 'list'];
const MALFORMED = 'The body is no multipart/form-data: ';
const listed = async (...parts: Parameters<typeof chatForm> extends [string, ...infer P] ? P : never): Promise<unknown> => {
  const { status, json } = await chatForm(url, LIST, ...parts);
  return status === 200 ? (JSON.parse(json['response'] as string) as unknown) : json;
};

t.test('a form has its media type and a boundary, and is not encoded', async (t) => {
  const post = (headers: Readonly<Record<string, string>>) => send(url, PATH, { method: 'POST', body: formOf(LIST), headers });
  for (const type of [FORM_TYPE, `Multipart/Form-Data;boundary="${BOUNDARY}"`, `multipart/form-data; charset=utf-8; boundary=${BOUNDARY}`]) {
    t.equal((await post({ 'content-type': type })).status, 200, type);
  }
  for (const type of [
    '', 'application/json', 'multipart/form-data', 'multipart/form-data; boundary=', `multipart/mixed; boundary=${BOUNDARY}`,
    'multipart/form-data; boundary="<>"', `multipart/form-data; boundary=${'x'.repeat(71)}`, 'application/x-www-form-urlencoded',
  ]) {
    t.match(await post({ 'content-type': type }), { status: 415, json: { code: 'UNSUPPORTED_MEDIA_TYPE', detail: /multipart\/form-data/ } }, type);
  }
  t.equal((await post({ 'content-type': FORM_TYPE, 'content-encoding': 'gzip' })).status, 415);
  t.equal((await post({ 'content-type': FORM_TYPE, 'content-encoding': 'identity' })).status, 200);
});

t.test('the checks come in the order of the contract, before a byte of the body', async (t) => {
  const huge = `Content-Length: ${200 * MB}`;
  const order: readonly (readonly [readonly string[], number, string])[] = [
    [['x-api-key: a', 'authorization: Bearer b', 'Content-Type: text/plain'], 400, 'DUPLICATE_CREDENTIALS'],
    [['x-api-key: a', 'Content-Type: text/plain'], 401, 'UNAUTHORIZED'],
    [['Origin: https://evil.test', `Content-Type: ${FORM_TYPE}`], 401, 'UNAUTHORIZED'],
    [['Content-Type: text/plain'], 415, 'UNSUPPORTED_MEDIA_TYPE'],
    [[`Content-Type: ${FORM_TYPE}`], 413, 'PAYLOAD_TOO_LARGE'],
    [[`Content-Type: ${FORM_TYPE}`, 'Expect: 100-continue'], 413, 'PAYLOAD_TOO_LARGE'],
  ];
  for (const [fields, status, code] of order) {
    const answer = await exchange(url, head(`POST ${PATH} HTTP/1.1`, huge, ...fields));
    t.match(answer, { status, body: new RegExp(`"code":"${code}"`) });
  }
});

t.test('a body is asked for when its head is in order', async (t) => {
  const body = formOf(LIST, ['files', { filename: 'a', content: 'x' }]);
  const request = head(`POST ${PATH} HTTP/1.1`, `Content-Type: ${FORM_TYPE}`, `Content-Length: ${body.length}`, 'Expect: 100-continue');
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  t.teardown(() => socket.destroy());
  let received = '';
  socket.setEncoding('utf8').on('data', (text: string) => (received += text));
  socket.write(request);
  await waitFor('the server to ask', () => received === 'HTTP/1.1 100 Continue\r\n\r\n');
  socket.write(body);
  await waitFor('the answer', () => received.includes('HTTP/1.1 200 OK') && received.includes('"response":"[{'));
});

t.test('what stands before the first boundary and after the last counts for nothing', async (t) => {
  const post = async (...body: readonly (string | Buffer)[]): Promise<unknown> => {
    const sent = { method: 'POST', headers: { 'content-type': FORM_TYPE }, body: Buffer.concat(body.map((each) => Buffer.from(each))) };
    const { status, json } = await send(url, PATH, sent);
    return { status, ...json };
  };
  const answered = { status: 200, response: '[]' };
  t.match(await post('A preamble\r\n--almost\r\n', formOf(LIST), 'an epilogue\r\n', formOf(['message', 'not this'])), answered);
  const unfinished = formOf(['message', 'not this'], fileOf('a.bin', 200_000)).subarray(0, -100);
  t.match(await post(formOf(LIST), unfinished), answered, 'busboy would wait for the end of the file that begins there');
  t.match(await post(formOf(LIST), unfinished.subarray(0, 300)), answered);
});

t.test('a body may come byte by byte, and boundaries may be cut anywhere', async (t) => {
  const content = `\r\n--${BOUNDARY.slice(0, -1)}\r\n-\r\n--\r`;
  const body = formOf(LIST, ['files', { filename: 'ü.txt', content }], ['files', { filename: '', type: 'application/octet-stream', content: '' }]);
  const chunks = [...body].map((byte) => Buffer.concat([Buffer.from('1\r\n'), Buffer.from([byte]), Buffer.from('\r\n')]));
  const request = head(`POST ${PATH} HTTP/1.1`, `Content-Type: ${FORM_TYPE}`, 'Transfer-Encoding: chunked');
  const answer = await exchange(url, Buffer.concat([Buffer.from(request), ...chunks, Buffer.from('0\r\n\r\n')]));
  t.equal(answer.status, 200);
  t.match(JSON.parse((JSON.parse(answer.body) as { response: string }).response), [{ name: 'ü.txt', size: Buffer.byteLength(content) }]);
});

t.test('a form that is none is told so, and nothing of it runs', async (t) => {
  const file = fileOf('a.bin', 100_000);
  const whole = formOf(LIST, file);
  const broken: Readonly<Record<string, readonly [Buffer, string]>> = {
    'nothing': [Buffer.alloc(0), 'it ends before its closing boundary.'],
    'no boundary': [Buffer.from('{"message":"hi"}'), 'it ends before its closing boundary.'],
    'no closing boundary': [whole.subarray(0, -FORM_END.length), 'it ends before its closing boundary.'],
    'cut in the closing boundary': [whole.subarray(0, -4), 'it ends before its closing boundary.'],
    'cut in a head': [whole.subarray(0, 60), 'it ends before its closing boundary.'],
    'a head that is none': [formOf(LIST, rawPart('nonsense', 'x'), file), 'a part has a malformed header.'],
    'a head with a control': [formOf(LIST, rawPart('Content-Disposition: form-data; name="a\u0000b"', 'x')), 'a part has a malformed header.'],
    'a head of more than 16 KiB': [formOf(LIST, rawPart(`X: ${'x'.repeat(17_000)}`, 'x')), 'a part has a malformed header.'],
    'no Content-Disposition': [formOf(LIST, rawPart('Content-Type: text/plain', 'x')), 'a part has a malformed header.'],
    'another disposition': [formOf(LIST, rawPart('Content-Disposition: attachment; filename="x"', 'x')), 'a part has a malformed header.'],
    'a quote in a name': [formOf(LIST, rawPart('Content-Disposition: form-data; name="files"; filename="a"b.txt"', 'x')), 'a part has a malformed header.'],
    'a semicolon too many': [formOf(LIST, rawPart('Content-Disposition: form-data; name="files"; filename="a";', 'x')), 'a part has a malformed header.'],
    'a broken filename*': [formOf(LIST, rawPart("Content-Disposition: form-data; name=\"files\"; filename*=utf-8''%zz", 'x')), 'a part has a malformed header.'],
  };
  for (const [what, [body, fault]] of Object.entries(broken)) {
    const { status, json } = await send(url, PATH, { method: 'POST', headers: { 'content-type': FORM_TYPE }, body });
    t.match({ status, ...json }, { status: 400, code: 'MALFORMED_REQUEST', detail: MALFORMED + fault }, what);
  }
  await waitFor('every file to be gone', async () => (await uploadedPaths(server)).length === 0);
});

t.test('a file name may be in UTF-8, escaped, or encoded as RFC 5987 has it', async (t) => {
  const named = (disposition: string) => rawPart(`Content-Disposition: form-data; name="files"; ${disposition}`, 'x');
  const names = [
    ['filename="naïve 🙂.txt"', 'naïve 🙂.txt'],
    ["filename*=UTF-8''na%C3%AFve%20%F0%9F%99%82.txt", 'naïve 🙂.txt'],
    ["filename=\"fallback\"; filename*=utf-8'de'%2e%2e%2f%2e%2e%2fx%00y.txt", 'xy.txt'],
    ["filename*=iso-8859-1'en'%A3%20rates", '£ rates'],
    ['filename=plain.txt', 'plain.txt'],
    [String.raw`filename="a\"b.txt"`, 'a_b.txt'],
    [String.raw`filename="C:\Users\me\b.txt"`, 'b.txt'],
    ['filename="../../../../../../etc/passwd"', 'passwd'],
    ['filename=".."', 'file'],
  ] as const;
  for (const [disposition, name] of names) t.match(await listed(named(disposition)), [{ name }], disposition);
});

t.test('at most 10 files', async (t) => {
  const files = Array.from({ length: 10 }, () => fileOf('a.bin', 10));
  t.strictSame(((await listed(...files)) as unknown[]).length, 10);
  t.match(await listed(...files, fileOf('b.bin', 10)), { status: 413, code: 'PAYLOAD_TOO_LARGE', detail: 'files: more than 10' });
});

t.test('a file has up to 25 MB, and not one byte more', async (t) => {
  t.match(await listed(fileOf('a.bin', 25 * MB)), [{ name: 'a.bin', size: 25 * MB, type: 'application/octet-stream' }]);
  t.match(await listed(fileOf('b.bin', 25 * MB + 1)), { status: 413, code: 'PAYLOAD_TOO_LARGE', detail: 'files: "b.bin" is larger than 25 MB' });
});

t.test('all files together have up to 100 MB, and not one byte more', async (t) => {
  const four = Array.from({ length: 4 }, (_, i) => fileOf(`${i}.bin`, 25 * MB));
  t.match(await listed(...four), [{}, {}, {}, { name: '3.bin', size: 25 * MB }]);
  t.match(await listed(...four, fileOf('4.bin', 1)), { status: 413, code: 'PAYLOAD_TOO_LARGE', detail: 'files: together larger than 100 MB' });
  const chunked = { 'content-type': FORM_TYPE, 'transfer-encoding': 'chunked' };
  const skipped = Buffer.concat([Buffer.alloc(110 * MB, 0x2d), formOf(LIST)]);
  const { status, json } = await send(url, PATH, { method: 'POST', headers: chunked, body: skipped });
  t.match({ status, ...json }, { status: 413, detail: /^The body is larger than \d+ bytes\.$/ }, 'bytes that are of no part count as well');
});

t.test('nothing of all that is left', async (t) => {
  await waitFor('every file to be gone', async () => (await uploadedPaths(server)).length === 0);
  t.notMatch(server.output.stderr, /"level":"(warn|error|fatal)"/);
});

endsCleanly(t, server);
