// Clients as they are: what each makes of a form is understood, and each understands what it is told.
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { openAsBlob } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Agent, FormData as UndiciFormData, request as undiciRequest } from 'undici';
import { parseEventStream } from './helpers/event_stream.ts';
import { makeFolder } from './helpers/folder.ts';
import { uploadedPaths } from './helpers/multipart.ts';
import { spawnProcess } from './helpers/process.ts';
import { endsCleanly, serve } from './helpers/serve.ts';
import { waitFor } from './helpers/wait_for.ts';

const server = await serve(t, 'clerk');
const { url } = server;
const noCurl = spawnSync('curl', ['--version']).status === 0 ? false : 'there is no curl on this machine';

const CONTENT = randomBytes(1_000_000);
const HASH = createHash('sha256').update(CONTENT).digest('hex');
const NAME = 'naïve "報告" 🙂.bin';
/** As each client writes a quote is its own affair. */
const SAFE_NAME = /^naïve .*報告.* 🙂\.bin$/;

const listed = (response: unknown): { name: string; type: string; size: number }[] => JSON.parse(response as string) as never;

t.test('fetch and FormData', async (t) => {
  const form = new FormData();
  form.append('files', new File([CONTENT], NAME, { type: 'image/png' }));
  form.append('message', 'list');
  form.append('files', new Blob(['{"a":1}'], { type: 'application/json' }));
  const response = await fetch(`${url}/chat/with-files`, { method: 'POST', body: form, headers: { connection: 'close' } });
  const files = listed(((await response.json()) as { response: string }).response);
  t.match(files, [{ name: SAFE_NAME, type: 'application/octet-stream', size: CONTENT.length }, { name: 'blob', type: 'application/json', size: 7 }]);
});

t.test('fetch, of a file on the disk, and its stream of events', async (t) => {
  const folder = await makeFolder(t, { 'a.md': '# A\n' });
  const form = new FormData();
  form.append('message', 'list\nread');
  form.append('files', await openAsBlob(join(folder, 'a.md'), { type: 'text/markdown' }), 'a.md');
  const response = await fetch(`${url}/chat/stream/with-files`, { method: 'POST', body: form, headers: { connection: 'close' } });
  t.equal(response.headers.get('content-type'), 'text/event-stream');
  const { events, done } = parseEventStream(await response.text());
  t.ok(done);
  t.strictSame(events.map(({ content }) => content.type), ['start', 'text', 'text', 'output']);
  t.match(listed(events[1]?.content.content), [{ name: 'a.md', type: 'text/markdown', size: 4 }]);
});

t.test('undici', async (t) => {
  const dispatcher = new Agent();
  const form = new UndiciFormData();
  form.append('message', 'read');
  form.append('files', new File([CONTENT], NAME));
  const { statusCode, body } = await undiciRequest(`${url}/chat/with-files`, { method: 'POST', body: form, dispatcher });
  t.equal(statusCode, 200);
  t.match(((await body.json()) as { response: string }).response, HASH);
  const large = new UndiciFormData();
  large.append('files', new File([Buffer.alloc(26 * 1024 * 1024)], 'large'));
  const refused = await undiciRequest(`${url}/chat/with-files`, { method: 'POST', body: large, dispatcher });
  t.match({ status: refused.statusCode, body: await refused.body.json() }, { status: 413, body: { detail: 'files: "large" is larger than 25 MB' } });
  await dispatcher.close();
});

t.test('curl', { skip: noCurl }, async (t) => {
  const folder = await makeFolder(t, { 'a.json': '{"a":1}', 'message.txt': 'list\nread' });
  const curl = async (...args: readonly string[]): Promise<{ code: number | null; body: string; json: Record<string, unknown> }> => {
    const { exited, output } = spawnProcess('curl', ['-sS', '--max-time', '20', ...args], { cwd: folder });
    const { code } = await exited;
    return { code, body: output.stdout + output.stderr, json: output.stdout.startsWith('{') ? (JSON.parse(output.stdout) as Record<string, unknown>) : {} };
  };
  const form = await curl('-F', 'message=<message.txt', '-F', 'files=@a.json;type=application/json', '-F', 'files=@a.json;filename=../b.json', `${url}/chat/with-files`);
  t.equal(form.code, 0, form.body);
  t.match(form.json['response'], /"name":"a.json","type":"application\/json","size":7.*"name":"b.json"/);
  const streamed = await curl('-N', '-F', 'message=read', '-F', 'files=@a.json', `${url}/chat/stream/with-files`);
  t.match(streamed.body, /data: \[DONE\]\n\n$/);
  spawnSync('truncate', ['-s', '200M', join(folder, 'huge')]);
  const huge = await curl('-F', 'message=read', '-F', 'files=@huge', `${url}/chat/with-files`);
  t.match(huge, { code: 0, json: { code: 'PAYLOAD_TOO_LARGE' } });
  const chunked = await curl('-H', 'Transfer-Encoding: chunked', '-F', 'message=read', '-F', 'files=@huge', `${url}/chat/with-files`);
  t.match(chunked, { code: 0, json: { detail: 'files: "huge" is larger than 25 MB' } });
  const early = await curl('-H', 'Transfer-Encoding: chunked', '-H', 'Expect:', '-F', 'other=@huge', `${url}/chat/with-files`);
  t.match(early, { code: 0, json: { code: 'VALIDATION_FAILED' } });
});

t.test('nothing of it is left', async () => {
  await waitFor('every file to be gone', async () => (await uploadedPaths(server)).length === 0);
});

endsCleanly(t, server);
