// `chat` with its input from a pipe: each line is a message, the answers are plain text, the exit code tells.
import t, { type Test } from 'tap';
import { runCommand, spawnProcess, LAUNCHER } from '../../helpers/process.ts';
import { answerWith, beginStream, type Script, startScriptedServer, writeEvent } from '../../helpers/scripted_server.ts';
import { waitFor } from '../../helpers/wait_for.ts';

async function chat(t: Test, stdin: string, script: Script) {
  const server = await startScriptedServer(t, script);
  return { ...(await runCommand(['chat', server.url], { stdin })), requests: server.requests };
}

t.test('each line is a message of one session, its answer is printed as text', async (t) => {
  const { code, stdout, stderr, requests } = await chat(t, 'one\n\n  two\n', ({ body }, response) => answerWith(response, 'you said ', `${body?.['message']}`));
  t.match({ code, stdout, stderr }, { code: 0, stdout: 'you said one\nyou said   two\n', stderr: '' });
  t.strictSame(requests.map(({ method, path }) => `${method} ${path}`), ['POST /chat/stream', 'POST /chat/stream']);
  const [first, second] = requests;
  t.match(first?.body, { verbose: true, interaction_id: /^[0-9a-f-]{36}$/, session_id: /^[0-9a-f-]{36}$/ });
  t.equal(second?.body?.['session_id'], first?.body?.['session_id']);
  t.not(second?.body?.['interaction_id'], first?.body?.['interaction_id']);
});

t.test('/new begins another session, /help and /exit are no messages, other slashes are', async (t) => {
  const { requests, code } = await chat(t, 'a\n/new\n/help\n/tool x {}\n/exit\nnever\n', (_request, response) => answerWith(response, 'ok'));
  t.equal(code, 0);
  t.strictSame(requests.map(({ body }) => body?.['message']), ['a', '/tool x {}']);
  t.not(requests[0]?.body?.['session_id'], requests[1]?.body?.['session_id']);
});

t.test('several messages of one answer stand on lines of their own; tools are for terminals', async (t) => {
  const { stdout } = await chat(t, 'a\n', (_request, response) => {
    beginStream(response);
    writeEvent(response, 1, { type: 'text', content: 'wait', message: 1 });
    writeEvent(response, 2, { type: 'tool_call', id: 'c', name: 'clock', arguments: {} });
    writeEvent(response, 3, { type: 'tool_result', id: 'c', name: 'clock', content: '12', is_error: false, duration_ms: 1 });
    writeEvent(response, 4, { type: 'text', content: 'noon', message: 2 });
    writeEvent(response, 5, { type: 'output', content: 'noon' });
    response.end();
  });
  t.equal(stdout, 'wait\nnoon\n');
});

t.test('an error event, a refusal and a server that is away are told in one line, and the exit code is 1', async (t) => {
  const failing = await chat(t, 'a\nb\n', ({ body }, response) => {
    if (body?.['message'] === 'b') return answerWith(response, 'fine');
    beginStream(response);
    writeEvent(response, 1, { type: 'text', content: 'well', message: 1 });
    writeEvent(response, 2, { type: 'error', error: { code: 'model_failed', message: 'no\nmodel' } });
    response.end();
  });
  t.match(failing, { code: 1, stdout: 'well\nfine\n', stderr: 'error: no model (model_failed)\n' });
  const refused = await chat(t, 'a\n', (_request, response) => {
    response.writeHead(503, { 'content-type': 'application/problem+json' });
    response.end(JSON.stringify({ detail: 'The queue is full.', code: 'QUEUE_FULL' }));
  });
  t.match(refused, { code: 1, stdout: '', stderr: 'error: The queue is full. (QUEUE_FULL)\n' });
  const away = await runCommand(['chat', 'http://127.0.0.1:1'], { stdin: 'a\n' });
  t.match(away, { code: 1, stdout: '', stderr: /^error: cannot reach http:\/\/127\.0\.0\.1:1: [^\n]+\n$/ });
});

t.test('an answer whose connection breaks is taken up after the last event that came', async (t) => {
  const { code, stdout, requests } = await chat(t, 'a\n', ({ method }, response) => {
    beginStream(response);
    if (method === 'POST') {
      writeEvent(response, 1, { type: 'text', content: 'first ', message: 1 });
      writeEvent(response, 2, { type: 'text', content: 'half, ', message: 1 });
      setImmediate(() => response.destroy());
    } else {
      writeEvent(response, 3, { type: 'text', content: 'second', message: 1 });
      writeEvent(response, 4, { type: 'output', content: 'first half, second' });
      response.end('data: [DONE]\n\n');
    }
  });
  t.match({ code, stdout }, { code: 0, stdout: 'first half, second\n' });
  const [post, resumed] = requests;
  t.equal(resumed?.path, `/chat/${post?.body?.['interaction_id']}/stream`);
  t.equal(resumed?.headers['last-event-id'], '2');
});

t.test('an answer that cannot be taken up again is an error', async (t) => {
  const { code, stderr } = await chat(t, 'a\n', ({ method }, response) => {
    if (method === 'POST') {
      beginStream(response);
      return setImmediate(() => response.destroy());
    }
    return response.writeHead(410).end(JSON.stringify({ detail: 'The events after Last-Event-ID are no longer kept.', code: 'EVENTS_EXPIRED' }));
  });
  t.match({ code, stderr }, { code: 1, stderr: 'error: The events after Last-Event-ID are no longer kept. (EVENTS_EXPIRED)\n' });
});

t.test('an interrupt cancels the answer; the next line is still sent', async (t) => {
  const running = new Map<unknown, () => void>();
  const server = await startScriptedServer(t, ({ path, body }, response) => {
    const cancelled = /^\/chat\/(.*)\/cancel$/.exec(path)?.[1];
    if (cancelled !== undefined) {
      running.get(cancelled)?.();
      return response.end('{}');
    }
    if (body?.['message'] === 'next') return answerWith(response, 'done');
    running.set(body?.['interaction_id'], () => {
      writeEvent(response, 2, { type: 'error', error: { code: 'cancelled', message: 'The interaction was cancelled.' } });
      response.end();
    });
    beginStream(response);
    writeEvent(response, 1, { type: 'text', content: 'endless', message: 1 });
  });
  const { process: child, output, exited } = spawnProcess(process.execPath, [LAUNCHER, 'chat', server.url], { stdin: 'a\nnext\n' });
  t.teardown(() => child.kill('SIGKILL'));
  await waitFor('the answer to begin', () => output.stdout === 'endless');
  child.kill('SIGINT');
  t.strictSame(await exited, { code: 1, signal: null });
  t.match(output, { stdout: 'endless\ndone\n', stderr: 'error: The interaction was cancelled. (cancelled)\n' });
});
