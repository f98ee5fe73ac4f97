// The fields of a form: they mean what a JSON body's keys mean, and what is wrong is said in the same words.
import { randomUUID } from 'node:crypto';
import t from 'tap';
import { chat, send } from '../../helpers/http_client.ts';
import { chatForm, fileOf, FORM_TYPE, formOf, rawPart, uploadedPaths, type FormPart } from '../../helpers/multipart.ts';
import { endsCleanly, serve } from '../../helpers/serve.ts';
import { waitFor } from '../../helpers/wait_for.ts';

const LIMIT = 1000;
const FIELD_LIMIT = 64 * 1024;
const server = await serve(t, 'clerk', { env: { MAX_MESSAGE_SIZE_BYTES: String(LIMIT) } });
const { url } = server;

const HI: FormPart = ['message', 'hi'];
const fieldsOf = async (...parts: readonly FormPart[]): Promise<unknown> => JSON.parse((await chatForm(url, ...parts)).json['response'] as string);

t.test('every field is what the key of a JSON body is', async (t) => {
  const id = randomUUID().toUpperCase();
  const { status, json, headers } = await chatForm(
    url, ['session_id', 'über/1'], ['user_id', 'Zoë'], ['interaction_id', id], ['verbose', 'true'], ['env', '{"GITHUB_TOKEN":"abc","OTHER":null}'],
    ['on_disconnect', 'continue'], ['disconnect_grace_ms', '60000'], ['message', 'fields'],
  );
  t.match({ status, ...json }, { status: 200, session_id: 'über/1', interaction_id: id.toLowerCase() });
  t.equal(headers['x-session-id'], '%C3%BCber%2F1');
  t.match(JSON.parse(json['response'] as string), { userId: 'Zoë', sessionId: 'über/1', env: { GITHUB_TOKEN: 'abc' } });
});

t.test('fields count before files and after them, and files wherever they are', async (t) => {
  const file = fileOf('a.bin', 70_000);
  for (const parts of [[file, ['message', 'list\nfields']], [['message', 'list\nfields'], file], [file, ['user_id', 'Zoë'], file, ['message', 'list\nfields'], file]] as FormPart[][]) {
    const { status, json } = await chatForm(url, ...parts);
    t.equal(status, 200);
    const names = [...(json['response'] as string).matchAll(/"name":"([^"]+)"/g)].map(([, name]) => name);
    t.equal(names.length, parts.filter(([name]) => name === 'files').length);
  }
});

t.test('a form without files is fine, and so is a browser\'s field that nobody filled', async (t) => {
  t.match(await chatForm(url, ['message', 'list']), { status: 200, json: { response: '[]' } });
  t.match(await chatForm(url, ['message', 'list'], ['files', { filename: '', type: 'application/octet-stream', content: '' }]), { status: 200, json: { response: '[]' } });
});

t.test('a message is an object if it parses as one, else the text', async (t) => {
  const said = async (message: string): Promise<unknown> => (await chatForm(url, ['message', message])).json['response'];
  t.equal(await said('{"content":"say one","text":"say two"}'), 'one');
  t.equal(await said(' \n{"text":"say two"}'), 'two');
  t.equal(await said('{"a":5}'), 'You said "{\\"a\\":5}".');
  for (const text of ['["x"]', '5', 'null', 'true', '"x"', '{"a":', '{x}', '{"content":"say one"} and more']) t.equal(await said(text), `You said ${JSON.stringify(text)}.`);
  t.equal(await said('null'), 'You said "null".');
});

t.test('a line break of a message is one, as a browser writes it and as it is', async (t) => {
  for (const message of ['fields\r\nb\r\n', 'fields\nb\n']) {
    t.match((await chatForm(url, ['message', message])).json['response'], /^\{"message":"fields\\nb\\n",.*\}You said "b"\.You said ""\.$/);
  }
});

t.test('true and false have two words each', async (t) => {
  for (const verbose of ['true', '1', 'false', '0']) t.equal((await chatForm(url, HI, ['verbose', verbose])).status, 200);
  for (const verbose of ['TRUE', 'yes', 'on', '2', ' 1']) t.match(await chatForm(url, HI, ['verbose', verbose]), { status: 422, json: { detail: 'verbose: expected true or false' } });
});

t.test('what nobody filled in is as if it were absent, but for the message', async (t) => {
  const empty = ['session_id', 'user_id', 'interaction_id', 'verbose', 'env', 'on_disconnect', 'disconnect_grace_ms'].map((name) => [name, ''] as const);
  t.match(await fieldsOf(['message', 'fields'], ...empty), { userId: 'user' });
  const { json } = await chatForm(url, ['message', '']);
  t.match(json, { status: 422, detail: 'message: expected a text that is not empty' });
  t.match((await chatForm(url, ['user_id', 'x'])).json, { status: 422, detail: 'message: expected a string or an object' });
});

t.test('what is wrong is told as of a JSON body', async (t) => {
  const wrong: readonly (readonly [readonly FormPart[], unknown])[] = [
    [[['message', 'hi'], ['session_id', 'x'.repeat(257)]], { message: 'hi', session_id: 'x'.repeat(257) }],
    [[['message', 'hi'], ['user_id', 'a\nb']], { message: 'hi', user_id: 'a\nb' }],
    [[['message', 'hi'], ['interaction_id', 'one']], { message: 'hi', interaction_id: 'one' }],
    [[['message', 'hi'], ['env', '[]']], { message: 'hi', env: [] }],
    [[['message', 'hi'], ['env', 'A=b']], { message: 'hi', env: 'A=b' }],
    [[['message', 'hi'], ['env', '{"PATH":"x"}']], { message: 'hi', env: { PATH: 'x' } }],
    [[['message', 'hi'], ['env', '{"GITHUB_TOKEN":5}']], { message: 'hi', env: { GITHUB_TOKEN: 5 } }],
    [[['message', 'hi'], ['on_disconnect', 'stay']], { message: 'hi', on_disconnect: 'stay' }],
    [[['message', 'hi'], ['disconnect_grace_ms', '60001']], { message: 'hi', disconnect_grace_ms: 60_001 }],
    [[['message', 'hi'], ['disconnect_grace_ms', '1e3']], { message: 'hi', disconnect_grace_ms: '1e3' }],
    [[['message', 'hi'], ['disconnect_grace_ms', '-1']], { message: 'hi', disconnect_grace_ms: -1 }],
    [[['message', '{"content":""}']], { message: { content: '' } }],
    [[['message', ''], ['verbose', 'x'], ['user_id', '\u007f']], { message: '', verbose: 'x', user_id: '\u007f' }],
  ];
  for (const [parts, body] of wrong) {
    const [form, json] = [await chatForm(url, ...parts), await chat(url, body)];
    const told = ({ status, json: { code, detail, errors } }: typeof form) => ({ status, code, detail, errors });
    t.equal(form.status, 422);
    t.strictSame(told(form), told(json));
  }
});

t.test('a field comes once, and files come as files', async (t) => {
  const refused = async (detail: string, ...parts: readonly (FormPart | Buffer)[]) => {
    const { status, json } = await chatForm(url, ...parts);
    t.match({ status, ...json }, { status: 422, code: 'VALIDATION_FAILED', detail, errors: [{ path: detail.split(':', 1)[0] }] });
  };
  await refused('message: expected once', HI, HI);
  await refused('user_id: expected once', HI, ['user_id', ''], ['user_id', 'x']);
  await refused('files: expected files, not a text', HI, ['files', '[{"path":"/etc/passwd"}]']);
  await refused('attachment: expected no file here: files are parts named "files"', HI, ['attachment', { filename: 'a', content: 'x' }]);
  await refused('message: expected no file here: files are parts named "files"', ['message', { filename: 'a', content: 'hi' }]);
  await refused('a part without a name: expected no file here: files are parts named "files"', HI, rawPart('Content-Disposition: form-data; filename="a"', 'x'));
  await refused('user_id: expected text in UTF-8', HI, rawPart('Content-Disposition: form-data; name="user_id"\r\nContent-Type: text/plain; charset=klingon', 'x'));
});

t.test('a field in another charset is read as it says', async (t) => {
  const latin = rawPart('Content-Disposition: form-data; name="user_id"\r\nContent-Type: text/plain; charset=iso-8859-1', Buffer.from('Zo\xeb', 'latin1'));
  t.match(JSON.parse((await chatForm(url, ['message', 'fields'], latin)).json['response'] as string), { userId: 'Zoë' });
});

t.test('unknown fields are ignored, however often they come', async (t) => {
  const unknown = ['x', 'x', '__proto__', 'constructor', 'toString', 'path', 'filepath', 'Message'].map((name) => [name, '{"verbose":"x"}'] as const);
  t.match(await fieldsOf(['message', 'fields'], ...unknown, rawPart('Content-Disposition: form-data', 'nameless') as never), { userId: 'user' });
});

t.test('a message has up to MAX_MESSAGE_SIZE_BYTES of UTF-8, and not one more', async (t) => {
  for (const text of ['x'.repeat(LIMIT), 'é'.repeat(LIMIT / 2), '🙂'.repeat(LIMIT / 4)]) {
    t.equal((await chatForm(url, ['message', text])).status, 200);
    const tooLong = { status: 413, json: { code: 'PAYLOAD_TOO_LARGE', detail: `message: longer than ${LIMIT} bytes` } };
    t.match(await chatForm(url, ['message', `${text}x`]), tooLong);
    t.match(await chatForm(url, ['message', JSON.stringify({ content: `${text}x` })]), tooLong);
    t.equal((await chatForm(url, ['message', JSON.stringify({ content: text })])).status, 200, 'of an object its text counts');
  }
  t.match(await chatForm(url, ['message', 'x'.repeat(3 * 1024 * 1024)]), { status: 413, json: { detail: `message: longer than ${LIMIT} bytes` } });
});

t.test('another field has up to 64 KiB, known or not, and there are at most 20', async (t) => {
  const long = 'x'.repeat(FIELD_LIMIT);
  t.equal((await chatForm(url, HI, ['x', long])).status, 200);
  t.match(await chatForm(url, HI, ['x', `${long}x`]), { status: 413, json: { detail: `x: longer than ${FIELD_LIMIT} bytes` } });
  t.match(await chatForm(url, HI, ['session_id', `${long}x`]), { status: 413, json: { detail: `session_id: longer than ${FIELD_LIMIT} bytes` } });
  const many = Array.from({ length: 19 }, (_, i) => [`x${i}`, ''] as const);
  t.equal((await chatForm(url, HI, ...many)).status, 200);
  t.match(await chatForm(url, HI, ...many, ['y', '']), { status: 413, json: { detail: 'The body has more than 20 fields.' } });
});

t.test('variables of headers count too, and those of the form win', async (t) => {
  const post = async (...parts: readonly FormPart[]) => {
    const headers = { 'content-type': FORM_TYPE, 'github-token': 'of the header' };
    const { json } = await send(url, '/chat/with-files', { method: 'POST', headers, body: formOf(['message', 'fields'], ...parts) });
    return JSON.parse(json['response'] as string) as unknown;
  };
  t.match(await post(), { env: { GITHUB_TOKEN: 'of the header' } });
  t.match(await post(['env', '{"GITHUB_TOKEN":"of the form"}']), { env: { GITHUB_TOKEN: 'of the form' } });
});

t.test('what is refused leaves no file, whatever it is refused for', async (t) => {
  const file = fileOf('a.bin', 100_000);
  const id = randomUUID();
  t.equal((await chatForm(url, HI, ['interaction_id', id])).status, 200);
  t.match(await chatForm(url, file, HI, ['interaction_id', id]), { status: 409, json: { code: 'INTERACTION_EXISTS' } });
  t.equal((await chatForm(url, file, HI, ['verbose', 'x'])).status, 422);
  t.equal((await chatForm(url, file, file)).status, 422);
  t.equal((await chatForm(url, file, ['message', 'x'.repeat(LIMIT + 1)])).status, 413);
  await waitFor('every file to be gone', async () => (await uploadedPaths(server)).length === 0);
});

endsCleanly(t, server);
