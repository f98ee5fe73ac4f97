// The life of an interaction, over workers without threads: whatever happens, it ends exactly once, and gives back its place.
import t from 'tap';
import type { Interaction } from '../../../supervisor/interactions/interaction.ts';
import { fakeSlot } from '../../helpers/fake_slot.ts';
import { FINISHED, listenerOf, openInteractions as open, slotOf, succeed } from '../../helpers/interactions.ts';
import { requestOf } from '../../helpers/requests.ts';
import { waitFor } from '../../helpers/wait_for.ts';

t.test('one that succeeds is in its session before its end is told', async (t) => {
  const harness = await open(t);
  const interaction = harness.start({ sessionId: 's' });
  t.equal(interaction.status, 'queued');
  listenerOf(harness, interaction).started(null);
  t.strictSame([interaction.status, harness.interactions.active], ['running', 1]);
  await succeed(harness, interaction);
  t.strictSame([interaction.status, interaction.resultJson], ['success', '"content":"hello","agent":"a"']);
  t.equal(harness.store.history('s', 9, Date.now()).turnCount, 1);
  t.equal(harness.interactions.find(interaction.id, 'anonymous'), interaction);
  t.throws(() => harness.interactions.find(interaction.id, 'another'), { code: 'INTERACTION_NOT_FOUND' });
  await harness.interactions.idle();
});

t.test('one whose session cannot be appended to fails with that', async (t) => {
  const harness = await open(t);
  const interaction = harness.start({ sessionId: 's' });
  listenerOf(harness, interaction).ended({ ...FINISHED, itemCount: 5000 });
  await interaction.ended;
  t.strictSame(harness.ends, ['error SESSION_NOT_SAVED']);
});

t.test('an id runs once, a session is one caller\'s, and a refusal takes no place', async (t) => {
  const harness = await open(t, [fakeSlot(1)], 1);
  const first = harness.start({ sessionId: 's' });
  t.throws(() => harness.start({ id: first.id }), { code: 'INTERACTION_EXISTS' });
  t.throws(() => harness.start({ sessionId: 's', owner: 'another' }), { code: 'SESSION_TAKEN' });
  harness.start();
  t.throws(() => harness.start(), { code: 'QUEUE_FULL' });
  t.throws(() => harness.start({ sessionId: 's' }), { code: 'QUEUE_FULL' });
  t.equal(harness.interactions.queued, 1);
});

t.test('what was started with a token ends with it, though its worker does nothing, and nothing more begins', async (t) => {
  const harness = await open(t, [fakeSlot(1)]);
  const token = { id: 'a', expiresAt: null };
  const [running, waiting] = [harness.start({ sessionId: 's', token }), harness.start({ sessionId: 's', token })];
  const another = harness.start({ token: { id: 'b', expiresAt: null } });
  harness.ended.set('a', 'The token was revoked.');
  t.throws(() => harness.start({ token }), { code: 'UNAUTHORIZED', details: { headers: { 'WWW-Authenticate': 'Bearer' } } });
  await Promise.all([running.ended, waiting.ended]);
  for (const { error } of [running, waiting]) t.strictSame(error, { code: 'CANCELLED', message: 'The token was revoked.' });
  t.equal(another.isOver, false);
});

t.test('interactions of one session run one after another, each with what those before have left', async (t) => {
  const harness = await open(t);
  const [a, b] = [harness.start({ sessionId: 's' }), harness.start({ sessionId: 's' })];
  t.strictSame([slotOf(harness).running.size, harness.interactions.queued, harness.dispatcher.queued], [1, 1, 1]);
  await succeed(harness, a);
  t.strictSame([slotOf(harness).running.size, harness.dispatcher.queued], [1, 0]);
  listenerOf(harness, b).ended({ status: 'error', code: 'AGENT_FAILED', message: 'm', usage: null });
  await b.ended;
  t.strictSame(harness.ends, ['success', 'error AGENT_FAILED']);
  t.equal(harness.store.history('s', 9, Date.now()).turnCount, 1, 'one that fails leaves the session as it was');
});

t.test('one that its worker had not begun is moved, three times at most; one that had begun ends with the worker', async (t) => {
  const harness = await open(t, [fakeSlot(1), fakeSlot(1), fakeSlot(1), fakeSlot(1)]);
  const moved = harness.start();
  for (const index of [0, 1, 2]) listenerOf(harness, moved, index).lost('WORKER_STUCK', false);
  await moved.ended;
  t.strictSame(harness.slots.map(({ asked }) => asked.length), [1, 1, 1, 0]);
  const begun = harness.start();
  listenerOf(harness, begun, 3).started(null);
  listenerOf(harness, begun, 3).lost('WORKER_CRASHED', true);
  await begun.ended;
  t.strictSame(harness.ends, ['error WORKER_STUCK', 'error WORKER_CRASHED']);
  t.equal(begun.ring.lastId, 2, 'the start and one terminal event');
});

t.test('one that waits is cancelled at once, and never runs', async (t) => {
  const harness = await open(t, [fakeSlot(0)]);
  const waiting = harness.start();
  harness.interactions.cancel(waiting);
  await waiting.ended;
  slotOf(harness).seats = 1;
  harness.dispatcher.assign();
  t.strictSame([slotOf(harness).asked, harness.ends, harness.dispatcher.queued], [[], ['cancelled CANCELLED'], 0]);
});

t.test('one that runs is asked to end; what its worker says then is told as the cancel', async (t) => {
  const harness = await open(t);
  const interaction = harness.start();
  harness.interactions.cancel(interaction);
  harness.interactions.cancel(interaction);
  t.strictSame(slotOf(harness).asked, [`run ${interaction.id}`, `cancel ${interaction.id}`]);
  await succeed(harness, interaction);
  t.strictSame(harness.ends, ['cancelled CANCELLED']);
});

t.test('a cancel that nobody heeds is enforced when the grace is over: its worker is tainted, and late words change nothing', async (t) => {
  const harness = await open(t);
  const interaction = harness.start();
  const listener = listenerOf(harness, interaction);
  harness.interactions.cancel(interaction);
  await interaction.ended;
  t.strictSame(slotOf(harness).asked.slice(2), [`abandon ${interaction.id}`, 'taint']);
  listener.events(['{"type":"text","content":"late","message":1}']);
  listener.ended(FINISHED);
  listener.lost('WORKER_CRASHED', true);
  t.strictSame([harness.ends, interaction.ring.lastId], [['cancelled CANCELLED'], 1]);
});

t.test('one that nobody reads any more is cancelled, unless it is to go on', async (t) => {
  const harness = await open(t);
  for (const onDisconnect of ['cancel', 'continue'] as const) {
    const interaction = harness.start({ onDisconnect });
    const reader = { behind: false, last: 0, wake: () => undefined };
    interaction.addReader(reader, false);
    harness.interactions.readersChanged(interaction);
    interaction.removeReader(reader);
    harness.interactions.readersChanged(interaction);
    t.equal(slotOf(harness).asked.at(-1), `${onDisconnect === 'cancel' ? 'cancel' : 'run'} ${interaction.id}`);
  }
});

t.test('what the reader takes is told to the worker in portions', async (t) => {
  const harness = await open(t);
  const interaction = harness.start({ streamed: true });
  for (let i = 0; i < 100; i += 1) harness.interactions.taken(interaction, 1024);
  const credits = slotOf(harness).asked.filter((each) => each.startsWith('credit'));
  t.strictSame(credits, Array(3).fill(`credit ${interaction.id} ${32 * 1024}`));
});

const FILES = [{ name: 'a.txt', type: 'text/plain', size: 1, path: '/uploads/a.txt' }];

t.test('one with files has its place in its session at once, and begins when they are there', async (t) => {
  const harness = await open(t);
  const files = Promise.withResolvers<typeof FILES>();
  const first = harness.interactions.start(requestOf({ sessionId: 's' }), () => files.promise) as Interaction;
  const second = harness.start({ sessionId: 's' });
  await Promise.resolve();
  t.strictSame([slotOf(harness).asked, harness.interactions.queued], [[], 2]);
  files.resolve(FILES);
  await waitFor('it to begin', () => slotOf(harness).asked.length > 0);
  t.strictSame(slotOf(harness).asked, [`run ${first.id}`]);
  t.strictSame(first.request.files, FILES);
  await succeed(harness, first);
  t.strictSame(first.request.files, [], 'what is over has none');
  await succeed(harness, second);
});

t.test('one that is not admitted takes no files, and one whose files cannot be taken fails with that', async (t) => {
  const harness = await open(t);
  const first = harness.start({ sessionId: 's' });
  t.throws(() => harness.interactions.start(requestOf({ id: first.id }), () => t.fail('the files were taken') as never), { code: 'INTERACTION_EXISTS' });
  const second = harness.interactions.start(requestOf({ sessionId: 's' }), () => Promise.reject(new Error('no room'))) as Interaction;
  await succeed(harness, first);
  await second.ended;
  t.strictSame(harness.ends, ['success', 'error STORE_UNAVAILABLE']);
  t.equal(second.error?.message, 'The files could not be stored.');
  t.notOk(harness.interactions.queued + harness.dispatcher.queued);
});

t.test('one that is cancelled while its files are on their way never runs, and the next one does', async (t) => {
  const harness = await open(t);
  const files = Promise.withResolvers<typeof FILES>();
  const first = harness.interactions.start(requestOf({ sessionId: 's' }), () => files.promise) as Interaction;
  const second = harness.start({ sessionId: 's' });
  harness.interactions.cancel(first);
  await first.ended;
  files.resolve(FILES);
  await succeed(harness, second);
  t.strictSame([slotOf(harness).asked, first.request.files], [[`run ${second.id}`], []]);
});

t.test('at a stop every one ends with shutting_down, and none is admitted any more', async (t) => {
  const harness = await open(t, [fakeSlot(1)]);
  const all = [harness.start({ sessionId: 's' }), harness.start({ sessionId: 's' }), harness.start()];
  harness.interactions.endAll();
  await Promise.all([...all.map(({ ended }) => ended), harness.interactions.idle()]);
  t.strictSame(harness.ends, Array(3).fill('error SHUTTING_DOWN'));
  t.equal(slotOf(harness).asked.filter((asked) => asked.startsWith('run ')).length, 1, 'none that waited has begun');
  t.throws(() => harness.start(), { code: 'SHUTTING_DOWN' });
  await waitFor('every place to be free', () => harness.dispatcher.queued === 0);
});
