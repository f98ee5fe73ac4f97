// The worker's end of its line: one message a turn of the event loop, and log text within a window.
import { setImmediate as tick } from 'node:timers/promises';
import { MessageChannel } from 'node:worker_threads';
import t, { type Test } from 'tap';
import { LOG_WINDOW, type WorkerFrame } from '../../../shared/protocol.ts';
import { createLine, type Line } from '../../../worker/chat/line.ts';
import { waitFor } from '../../helpers/wait_for.ts';

function connect(t: Test): { line: Line; messages: readonly (readonly WorkerFrame[])[] } {
  const { port1, port2 } = new MessageChannel();
  const messages: WorkerFrame[][] = [];
  port2.on('message', (frames: WorkerFrame[]) => messages.push(frames));
  t.teardown(() => port2.close());
  return { line: createLine(port1), messages };
}

const log = (id: string | null, level: 'info' | 'warn', text: string): WorkerFrame => ({ type: 'log', id, level, text });

t.test('frames of one turn go as one message, the events of an interaction as one frame, all in order', async (t) => {
  const { line, messages } = connect(t);
  line.post({ type: 'started', id: 'a', model: null });
  line.postEvent('a', '1');
  line.postEvent('b', '2');
  line.postEvent('a', '3');
  line.post({ type: 'skipped', seat: 0 });
  await tick();
  line.postEvent('a', '4');
  await waitFor('both messages', () => messages.length === 2);
  t.strictSame(messages, [
    [
      { type: 'started', id: 'a', model: null },
      { type: 'events', id: 'a', events: ['1', '3'] },
      { type: 'events', id: 'b', events: ['2'] },
      { type: 'skipped', seat: 0 },
    ],
    [{ type: 'events', id: 'a', events: ['4'] }],
  ]);
});

t.test('whoever asked is called before a turn\'s frames go, and what it adds goes with them', async (t) => {
  const { line, messages } = connect(t);
  line.beforeFlush(() => line.postEvent('a', 'last'));
  line.postEvent('a', 'first');
  line.beforeFlush(() => {
    line.beforeFlush(() => line.postEvent('a', 'very last'));
  });
  await waitFor('the message', () => messages.length > 0);
  t.strictSame(messages, [[{ type: 'events', id: 'a', events: ['first', 'last', 'very last'] }]]);
});

t.test('a turn without frames sends nothing', async (t) => {
  const { line, messages } = connect(t);
  let called = 0;
  line.beforeFlush(() => (called += 1));
  await waitFor('the call', () => called === 1);
  await tick();
  t.strictSame(messages, []);
});

t.test('log text goes at once, the window\'s worth of it; more is counted, and told when there is room', async (t) => {
  const { line, messages } = connect(t);
  const text = 'x'.repeat(16 * 1024);
  const room = LOG_WINDOW / text.length;
  for (let i = 0; i < room + 3; i += 1) line.postLog('a', 'info', text);
  await waitFor('what has room', () => messages.length === room);
  line.creditLog(LOG_WINDOW * 2);
  line.postLog('a', 'info', 'again');
  line.postLog('a', 'info', 'and again');
  await waitFor('what came later', () => messages.length === room + 2);
  t.strictSame(messages.slice(room), [
    [log(null, 'warn', '3 earlier writes of the agent were dropped'), log('a', 'info', 'again')],
    [log('a', 'info', 'and again')],
  ]);
});

t.test('a very long log text is cut', async (t) => {
  const { line, messages } = connect(t);
  line.postLog(null, 'warn', 'x'.repeat(100_000));
  await waitFor('the line', () => messages.length === 1);
  t.strictSame(messages, [[log(null, 'warn', `${'x'.repeat(16 * 1024)} …`)]]);
});
