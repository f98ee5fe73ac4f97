// The end of a server that waits for nothing, while the log keeps its callers waiting: every reader is told once, and what the log was told as well.
import { join } from 'node:path';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import type { Config } from '../../../shared/config.ts';
import type { InteractionEnd } from '../../../shared/protocol.ts';
import type { Interaction } from '../../../supervisor/interactions/interaction.ts';
import { Interactions } from '../../../supervisor/interactions/interactions.ts';
import type { Records } from '../../../supervisor/interactions/options.ts';
import { Sessions } from '../../../supervisor/interactions/sessions.ts';
import { openEmbeddedStore } from '../../../supervisor/store/embedded.ts';
import { memoryOrder } from '../../../supervisor/store/order_memory.ts';
import { Dispatcher } from '../../../supervisor/workers/dispatcher.ts';
import { fakeGeneration, fakeSlot } from '../../helpers/fake_slot.ts';
import { makeFolder } from '../../helpers/folder.ts';
import { requestOf } from '../../helpers/requests.ts';
import { waitFor } from '../../helpers/wait_for.ts';

const CONFIG = {
  resumeMemoryBytes: 1024 * 1024, chatTimeoutMs: 60_000, chatIdleTimeoutMs: 60_000, queueTimeoutMs: 60_000, sessionTtlMs: 60_000,
} as Config;
const GOOD: InteractionEnd = {
  status: 'success', model: null, contentJson: '"hello"', restJson: '"agent":"a"', items: '[]', itemCount: 1, usage: null,
};

async function open(t: Test) {
  const embedded = openEmbeddedStore(join(await makeFolder(t), 'state.db'));
  const slot = fakeSlot(2);
  const log = pino({ level: 'silent' });
  const told: string[] = [];
  const words = new Map<string, string>();
  const held = Promise.withResolvers<void>();
  /** A log that never says that it has kept an end. */
  const records: Records = {
    opened: async () => undefined,
    ended: ({ id }, outcome) => {
      told.push(`logged ${words.get(id)} ${'code' in outcome ? outcome.code : 'success'}`);
      return held.promise;
    },
    closeNow: () => void told.push('log closed'),
  };
  const interactions = new Interactions({
    config: CONFIG,
    log,
    sessions: new Sessions({ store: embedded.sessions, order: memoryOrder(() => undefined), config: CONFIG, tokenEnd: () => null, log }),
    dispatcher: new Dispatcher(() => fakeGeneration(slot), 10),
    limits: { begin: () => () => undefined },
    agentName: 'a',
    tokenEnd: () => null,
    maxItems: () => 10,
    records,
    onEnd: ({ id, error, status }) => void told.push(`told ${words.get(id)} ${error?.code ?? status}`),
  });
  t.teardown(() => {
    interactions.close();
    embedded.close();
  });
  const start = (word: string, sessionId = word): Interaction => {
    const interaction = interactions.start(requestOf({ sessionId })) as Interaction;
    words.set(interaction.id, word);
    return interaction;
  };
  return { interactions, slot, told, start, keep: held.resolve };
}

t.test('all are told before it returns, once the log has been told of all; one whose end is known keeps it', async (t) => {
  const { interactions, slot, told, start, keep } = await open(t);
  const [done, running] = [start('done'), start('running')];
  const waiting = [start('next', 'running'), start('last', 'running')];
  slot.running.get(done.id)?.ended(GOOD);
  await waitFor('its end to be logged', () => told.length > 0);
  const read: boolean[] = [];
  running.addReader({ wake: () => void read.push(running.isOver), behind: false, last: 0 }, false);

  interactions.endAllNow();
  t.strictSame(told, [
    'logged done success', 'logged last SHUTTING_DOWN', 'logged next SHUTTING_DOWN', 'logged running SHUTTING_DOWN', 'log closed',
    'told last SHUTTING_DOWN', 'told next SHUTTING_DOWN', 'told running SHUTTING_DOWN', 'told done success',
  ]);
  t.strictSame(read, [true], 'its reader was woken');
  t.equal(slot.asked.filter((asked) => asked.startsWith('run ')).length, 2, 'none that waited has begun');
  t.throws(() => start('late'), { code: 'SHUTTING_DOWN' });

  keep();
  await Promise.all([done, running, ...waiting].map(({ ended }) => ended));
  interactions.endAllNow();
  t.equal(told.filter((word) => word.startsWith('told ')).length, 4, 'what the log says later changes nothing');
});
