// What a session remembers, in which order, and how it is read and forgotten.
import t from 'tap';
import { chat, send, stream, type Json } from '../../helpers/http_client.ts';
import { directed, endsCleanly, serve, serveModel } from '../../helpers/serve.ts';
import { waitFor } from '../../helpers/wait_for.ts';

const server = await serve(t, 'puppet');
const quiet = await serve(t, 'quiet');
const forgetful = await serveModel(t, 'forgetful');
const { url } = server;

const at = (session_id: string) => `/chat/sessions/${encodeURIComponent(session_id)}`;
const read = (session_id: string, base = url) => send(base, at(session_id));
const remove = (session_id: string) => send(url, at(session_id), { method: 'DELETE' });
async function history(session_id: string): Promise<{ readonly turnCount: number; readonly said: readonly string[] }> {
  return JSON.parse(String((await chat(url, { message: 'history', session_id })).json['response'])) as { turnCount: number; said: string[] };
}

t.test('the second turn remembers the first', async (t) => {
  await chat(url, { message: 'say one', session_id: 'two turns' });
  t.strictSame(await history('two turns'), { turnCount: 1, said: ['say one'] });
  t.strictSame(await history('two turns'), { turnCount: 2, said: ['say one', 'history'] });
});

t.test('a chat without a session starts one, which can be gone on with', async (t) => {
  const session_id = String((await chat(url, { message: 'say one' })).json['session_id']);
  t.strictSame(await history(session_id), { turnCount: 1, said: ['say one'] });
});

t.test('a session is read as items of the Agents protocol', async (t) => {
  const session_id = 'read/é 🙂';
  await chat(url, { message: 'say Hello', session_id, user_id: 'zoë' });
  const { status, json } = await read(session_id);
  t.equal(status, 200);
  t.strictSame(Object.keys(json), ['session_id', 'user_id', 'items', 'created_at', 'updated_at']);
  t.match(json, { session_id, user_id: 'zoë', created_at: /Z$/, updated_at: /Z$/ });
  t.strictSame(json['items'], [
    { type: 'message', role: 'user', content: 'say Hello' },
    { type: 'message', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: 'Hello' }] },
  ]);
});

t.test('tool calls are items, too', async (t) => {
  const call = 'event {"type":"tool_call","id":"c1","name":"look","arguments":{"a":1}}';
  await chat(url, { message: `${call}\nevent {"type":"tool_result","id":"c1","content":"seen"}\nsay Done`, session_id: 'tools' });
  t.match((await read('tools')).json['items'], [
    { type: 'message', role: 'user' },
    { type: 'function_call', callId: 'c1', name: 'look', arguments: '{"a":1}', status: 'completed' },
    { type: 'function_call_result', callId: 'c1', name: 'look', status: 'completed', output: { type: 'text', text: 'seen' } },
    { type: 'message', role: 'assistant' },
  ]);
});

t.test('a session that nobody began cannot be read or deleted', async (t) => {
  for (const answer of [await read('nobody'), await remove('nobody')]) t.match(answer, { status: 404, json: { code: 'SESSION_NOT_FOUND' } });
  t.match(await read('%zz'), { status: 404 });
});

t.test('a session that is deleted is forgotten', async (t) => {
  await chat(url, { message: 'say one', session_id: 'deleted' });
  const answer = await remove('deleted');
  t.strictSame({ status: answer.status, text: answer.text }, { status: 204, text: '' });
  t.equal((await read('deleted')).status, 404);
  t.strictSame(await history('deleted'), { turnCount: 0, said: [] });
});

t.test('it is deleted after the turn that runs in it', async (t) => {
  const running = await stream(url, { message: 'say a\nhold turn', session_id: 'busy' });
  await running.until('text');
  let over = false;
  const deleted = remove('busy').finally(() => (over = true));
  const other = await chat(url, { message: 'say meanwhile' });
  t.equal(other.status, 200);
  t.notOk(over, 'it waits');
  await chat(url, { message: 'release turn' });
  t.match(await running.ended, '"type":"output"');
  t.equal((await deleted).status, 204);
  t.equal((await read('busy')).status, 404);
});

t.test('twenty chats at once in one session run one after another', async (t) => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => chat(quiet.url, { message: 'hi', session_id: 'twenty' })));
  const turns = answers.map(({ json }) => Number(/This is turn (\d+)/.exec(String(json['response']))?.[1]));
  t.strictSame(turns.toSorted((a, b) => a - b), Array.from({ length: 20 }, (_, index) => index + 1));
  t.equal(((await read('twenty', quiet.url)).json['items'] as unknown[]).length, 40);
});

t.test('they run in the order in which their bodies were complete', async (t) => {
  const first = await stream(url, { message: 'say a\nhold order', session_id: 'order' });
  await first.until('text');
  const answers = [];
  for (let n = 1; n <= 5; n += 1) {
    answers.push(chat(url, { message: `say ${n}`, session_id: 'order' }));
    await waitFor('it to be queued', async () => (await send(url, '/status')).json['queued_requests'] === n);
  }
  await chat(url, { message: 'release order' });
  await Promise.all(answers);
  t.strictSame((await history('order')).said, ['say a\nhold order', 'say 1', 'say 2', 'say 3', 'say 4', 'say 5']);
});

t.test('at most 128 wait for one session, and hold nobody else up', async (t) => {
  const first = await stream(url, { message: 'say a\nhold crowd', session_id: 'crowd' });
  await first.until('text');
  const answers = Array.from({ length: 130 }, () => chat(url, { message: 'say b', session_id: 'crowd' }));
  await waitFor('them to wait', async () => (await send(url, '/status')).json['queued_requests'] === 128);
  t.equal((await chat(url, { message: 'release crowd' })).status, 200, 'another session');
  const ended = await Promise.all(answers);
  const busy = ended.filter(({ status }) => status === 429);
  t.equal(busy.length, 2);
  for (const answer of busy) {
    t.match(answer.json, { code: 'SESSION_BUSY' });
    t.match(answer.headers['retry-after'], /^\d+$/);
  }
  t.equal(ended.filter(({ status }) => status === 200).length, 128);
});

t.test('a turn that fails or is cancelled leaves the session as it was', async (t) => {
  await chat(url, { message: 'say one', session_id: 'kept' });
  const before = (await read('kept')).json;
  t.equal((await chat(url, { message: 'say x\nfail Nothing.', session_id: 'kept' })).status, 500);
  const running = await stream(url, { message: 'say x\nhang', session_id: 'kept' });
  await running.until('text');
  await send(url, `/chat/${String(running.headers['x-interaction-id'])}/cancel`, { method: 'POST' });
  await running.ended;
  t.strictSame((await read('kept')).json, before);
  t.strictSame(await history('kept'), { turnCount: 1, said: ['say one'] });
});

t.test('the model gets whole turns, the newest, up to max_items', async (t) => {
  const said = async (message: string): Promise<readonly Json[]> => {
    await chat(forgetful.url, { message, session_id: 'long' });
    return forgetful.model.requests.at(-1)?.body['input'] as Json[];
  };
  for (const word of ['one', 'two', 'three']) await said(directed({ text: word }));
  const input = await said(directed({ text: 'four' }));
  t.strictSame(input.map(({ content }) => content), [
    directed({ text: 'two' }), 'two', directed({ text: 'three' }), 'three', directed({ text: 'four' }),
  ]);
  t.equal(((await read('long', forgetful.url)).json['items'] as unknown[]).length, 8, 'the session has them all');
});

endsCleanly(t, server, quiet, forgetful);
