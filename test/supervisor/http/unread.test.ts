// A stream that has ended, and whose reader takes nothing of its end, is left alone: a ping after the end would end the server.
import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import t from 'tap';
import { followEvents } from '../../../supervisor/http/sse.ts';
import { Interaction } from '../../../supervisor/interactions/interaction.ts';
import { requestOf } from '../../helpers/requests.ts';
import { waitFor } from '../../helpers/wait_for.ts';

/** Longer than the silence after which a stream is pinged. */
const LATER_MS = 20_000;

/** Takes what is written, and closes only when it is told to, as a connection does whose other end reads nothing. */
class UnreadResponse extends EventEmitter {
  readonly written: string[] = [];
  write(text: string): boolean {
    this.written.push(text);
    return true;
  }
  end(text: string): void {
    this.written.push(text, 'END');
  }
}

function follow(): { readonly response: UnreadResponse; readonly interaction: Interaction } {
  const response = new UnreadResponse();
  const interaction = new Interaction(requestOf(), 'a');
  followEvents(response as unknown as ServerResponse, interaction, { after: 0, taken: null, onClose: () => {} });
  return { response, interaction };
}

t.test('silence is broken by a ping while a stream lives, and by nothing after its end', async (t) => {
  const ended = follow();
  const silent = follow();
  ended.interaction.end({ contentJson: '"x"', restJson: '"agent":"a"' });
  await waitFor('the end', () => ended.response.written.at(-1) === 'END');
  const now = performance.now.bind(performance);
  t.teardown(() => Object.assign(performance, { now }));
  Object.assign(performance, { now: () => now() + LATER_MS });
  await waitFor('a ping', () => silent.response.written.includes(': ping\n\n'));
  t.equal(ended.response.written.at(-1), 'END');
  for (const { response } of [ended, silent]) response.emit('close');
});
