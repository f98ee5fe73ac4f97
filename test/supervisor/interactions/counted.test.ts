// What the limits are told: each interaction that they let begin is over once, whatever way it goes.
import t, { type Test } from 'tap';
import type { Interaction } from '../../../supervisor/interactions/interaction.ts';
import { memoryOrder } from '../../../supervisor/store/order_memory.ts';
import { fakeSlot } from '../../helpers/fake_slot.ts';
import { FINISHED, listenerOf, openInteractions, slotOf, succeed, type Harness } from '../../helpers/interactions.ts';
import { requestOf } from '../../helpers/requests.ts';

const start = ({ interactions }: Harness, fields = {}): Interaction | Promise<Interaction> => interactions.start(requestOf({ limitKey: 'a', ...fields }));
const started = (harness: Harness, fields = {}): Interaction => start(harness, fields) as Interaction;

/** Each leaves nothing that lives. @returns how many had begun */
const WAYS: Readonly<Record<string, (t: Test, harness: Harness) => Promise<number>>> = {
  async success(_t, harness) {
    await succeed(harness, started(harness));
    return 1;
  },
  async 'an error of the agent, and late words after it'(_t, harness) {
    const interaction = started(harness);
    const listener = listenerOf(harness, interaction);
    listener.ended({ status: 'error', code: 'AGENT_FAILED', message: 'm', usage: null });
    listener.ended(FINISHED);
    await interaction.ended;
    listener.lost('WORKER_CRASHED', true);
    return 1;
  },
  async 'a session that cannot be appended to'(_t, harness) {
    const interaction = started(harness, { sessionId: 's' });
    listenerOf(harness, interaction).ended({ ...FINISHED, itemCount: 5000 });
    await interaction.ended;
    return 1;
  },
  async 'a worker that is lost'(_t, harness) {
    const interaction = started(harness);
    listenerOf(harness, interaction).started(null);
    listenerOf(harness, interaction).lost('WORKER_CRASHED', true);
    await interaction.ended;
    return 1;
  },
  async 'a cancel while it waits'(_t, harness) {
    const [running, waiting] = [started(harness, { sessionId: 's' }), started(harness, { sessionId: 's' })];
    harness.interactions.cancel(waiting);
    harness.interactions.cancel(waiting);
    await waiting.ended;
    await succeed(harness, running);
    return 2;
  },
  async 'a cancel that is enforced'(_t, harness) {
    const interaction = started(harness);
    harness.interactions.cancel(interaction);
    await interaction.ended;
    return 1;
  },
  async 'a full queue'(t, harness) {
    slotOf(harness).seats = 0;
    const waiting = started(harness);
    t.throws(() => start(harness), { code: 'QUEUE_FULL' });
    t.throws(() => start(harness, { sessionId: 's' }), { code: 'QUEUE_FULL' });
    harness.interactions.cancel(waiting);
    await waiting.ended;
    return 3;
  },
  async 'a session of somebody else'(t, harness) {
    const running = started(harness, { sessionId: 's' });
    t.throws(() => start(harness, { sessionId: 's', owner: 'another' }), { code: 'SESSION_TAKEN' });
    await succeed(harness, running);
    return 2;
  },
  async 'an id that is known, which does not begin'(t, harness) {
    const running = started(harness);
    t.throws(() => start(harness, { id: running.id }), { code: 'INTERACTION_EXISTS' });
    await succeed(harness, running);
    return 1;
  },
  async 'files that cannot be taken'(_t, { interactions }) {
    const interaction = interactions.start(requestOf({ limitKey: 'a' }), () => Promise.reject(new Error('no room'))) as Interaction;
    await interaction.ended;
    return 1;
  },
  async 'a token that ends'(t, harness) {
    const token = { id: 't', expiresAt: null };
    const interaction = started(harness, { token });
    harness.ended.set('t', 'The token was revoked.');
    t.throws(() => start(harness, { token }), { code: 'UNAUTHORIZED' });
    await interaction.ended;
    return 1;
  },
  async 'the end of all'(t, harness) {
    const all = [started(harness, { sessionId: 's' }), started(harness, { sessionId: 's' }), started(harness)];
    harness.interactions.endAll();
    await Promise.all(all.map(({ ended }) => ended));
    t.throws(() => start(harness), { code: 'SHUTTING_DOWN' });
    return 3;
  },
  async 'the end of all at once, of one that is being saved as well'(_t, harness) {
    const [saved, running] = [started(harness, { sessionId: 's' }), started(harness)];
    listenerOf(harness, saved).ended(FINISHED);
    harness.interactions.endAllNow();
    await Promise.all([saved.ended, running.ended]);
    // The append ends after that.
    await new Promise(setImmediate);
    return 2;
  },
};

for (const [name, go] of Object.entries(WAYS)) {
  t.test(`${name}: over once`, async (t) => {
    const harness = await openInteractions(t, [fakeSlot(8)], 1);
    const begun = await go(t, harness);
    t.strictSame(harness.counted, Array(begun).fill('a 1'));
  });
}

t.test('over once as well where its place in the session is lost, or not to be had, or its token ends while it is asked for', async (t) => {
  const lost = await openInteractions(t, [fakeSlot(8)], 10, {
    enter: () => ({ ticket: '1', mustWait: true, whenTurn: (_begin, isLost) => setImmediate(isLost), leave: () => undefined }),
  });
  await started(lost).ended;
  t.strictSame([lost.ends, lost.counted], [['error STORE_UNAVAILABLE'], ['a 1']]);

  const away = await openInteractions(t, [fakeSlot(8)], 10, { enter: () => Promise.reject(new Error('away')) });
  await t.rejects(async () => start(away), { code: 'STORE_UNAVAILABLE' });
  t.strictSame(away.counted, ['a 1']);

  const order = memoryOrder(() => undefined);
  const late = await openInteractions(t, [fakeSlot(8)], 10, { enter: async (...of) => order.enter(...of) });
  const starting = start(late, { token: { id: 't', expiresAt: null } });
  late.ended.set('t', 'The token was revoked.');
  await t.rejects(async () => starting, { code: 'UNAUTHORIZED' });
  t.strictSame(late.counted, ['a 1']);
});
