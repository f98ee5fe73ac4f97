// `chat` at a terminal: a prompt, tools shown dimly, Ctrl-C cancels and then ends.
import { existsSync } from 'node:fs';
import t, { type Test } from 'tap';
import { LAUNCHER, spawnProcess } from '../../helpers/process.ts';
import { answerWith, beginStream, type Script, startScriptedServer, writeEvent } from '../../helpers/scripted_server.ts';
import { waitFor } from '../../helpers/wait_for.ts';

const CTRL_C = '\x03';
const withTerminal = existsSync('/usr/bin/script') ? {} : { skip: 'no script(1) to make a terminal with' };

async function open(t: Test, script: Script) {
  const server = await startScriptedServer(t, script);
  const command = `exec ${process.execPath} ${LAUNCHER} chat ${server.url}`;
  const terminal = spawnProcess('/usr/bin/script', ['-qec', command, '/dev/null'], { stdin: null, env: { TERM: 'xterm' } });
  t.teardown(() => terminal.process.kill('SIGKILL'));
  const seen = (text: string) => waitFor(JSON.stringify(text), () => terminal.output.stdout.includes(text));
  await seen('> ');
  return { ...terminal, requests: server.requests, seen, type: (text: string) => terminal.process.stdin?.write(text) };
}

t.test('tools are shown dimly, and nothing that an agent says steers the terminal', withTerminal, async (t) => {
  const { type, seen, output, exited } = await open(t, (_request, response) => {
    beginStream(response);
    writeEvent(response, 1, { type: 'tool_call', id: 'c', name: 'clock', arguments: { zone: 'UTC' } });
    writeEvent(response, 2, { type: 'tool_result', id: 'c', name: 'clock', content: 'it is\n12', is_error: false, duration_ms: 1 });
    writeEvent(response, 3, { type: 'text', content: 'no\x1b]0;title\x07on', message: 1 });
    writeEvent(response, 4, { type: 'output', content: 'noon' });
    response.end();
  });
  type('what time?\r');
  await seen('no]0;titleon');
  t.match(output.stdout, '\x1b[2mclock {"zone":"UTC"}\x1b[0m');
  t.match(output.stdout, '\x1b[2mclock gave it is 12\x1b[0m');
  type('/exit\r');
  t.match(await exited, { code: 0 });
});

t.test('Ctrl-C cancels the answer and, when there is none, ends the conversation', withTerminal, async (t) => {
  let finish = () => {};
  const { type, seen, exited, requests } = await open(t, ({ path }, response) => {
    if (path.endsWith('/cancel')) {
      finish();
      return response.end('{}');
    }
    beginStream(response);
    writeEvent(response, 1, { type: 'text', content: 'endless', message: 1 });
    finish = () => {
      writeEvent(response, 2, { type: 'error', error: { code: 'cancelled', message: 'The interaction was cancelled.' } });
      response.end();
    };
  });
  type('go\r');
  await seen('endless');
  type(CTRL_C);
  await seen('(cancelled)');
  t.equal(requests[1]?.path, `/chat/${requests[0]?.body?.['interaction_id']}/cancel`);
  type(CTRL_C);
  t.match(await exited, { code: 0 });
});

t.test('a message that failed does not end the conversation', withTerminal, async (t) => {
  const { type, seen, exited } = await open(t, ({ body }, response) => {
    if (body?.['message'] === 'good') return answerWith(response, 'fine');
    return response.writeHead(422).end(JSON.stringify({ detail: 'message: too odd', code: 'VALIDATION_FAILED' }));
  });
  type('bad\r');
  await seen('error: message: too odd (VALIDATION_FAILED)');
  type('good\r');
  await seen('fine');
  type('\x04');
  t.match(await exited, { code: 0 });
});
