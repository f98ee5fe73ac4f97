// The interactions that are known: all that live, and ended ones within a bound of memory and time.
import { setImmediate as tick } from 'node:timers/promises';
import t from 'tap';
import { collectGarbage } from '../../../shared/collect_garbage.ts';
import { Interaction } from '../../../supervisor/interactions/interaction.ts';
import { Registry } from '../../../supervisor/interactions/registry.ts';
import { requestOf } from '../../helpers/requests.ts';

const MIB = 1024 * 1024;

/** An interaction that has ended; its answer takes about twice so many bytes. */
function ended(length: number): Interaction {
  const interaction = new Interaction(requestOf(), 'a');
  interaction.begin(null);
  interaction.add([JSON.stringify({ type: 'text', content: 'x'.repeat(length), message: 1 })]);
  interaction.end({ code: 'AGENT_FAILED', message: 'failed' });
  return interaction;
}

t.test('an interaction is known while it lives, however much others take', async (t) => {
  const registry = new Registry(0);
  const live = new Interaction(requestOf(), 'a');
  registry.add(live);
  for (let i = 0; i < 10; i += 1) registry.retire(ended(1000));
  t.equal(registry.find(live.id), live);
  t.equal(registry.find('unknown'), undefined);
});

t.test('ended ones are known as long as they fit in memory, the newest longest', async (t) => {
  const registry = new Registry(MIB);
  const all = Array.from({ length: 10 }, () => ended(100_000));
  for (const interaction of all) {
    registry.add(interaction);
    registry.retire(interaction);
  }
  t.strictSame(all.map(({ id }) => registry.find(id) !== undefined), [...Array(5).fill(false), ...Array(5).fill(true)]);
});

t.test('one that does not fit at all is forgotten at once, and leaves room for others', async (t) => {
  const registry = new Registry(MIB);
  const [large, small] = [ended(500_000), ended(100)];
  for (const interaction of [large, ended(500_000), small]) {
    registry.add(interaction);
    registry.retire(interaction);
  }
  t.equal(registry.find(large.id), undefined);
  t.equal(registry.find(small.id), small);
});

t.test('ended ones are known for ten minutes', async (t) => {
  const registry = new Registry(MIB);
  const interaction = ended(10);
  registry.add(interaction);
  registry.retire(interaction);
  const endedAt = interaction.endedAt ?? 0;
  registry.sweep(endedAt + 10 * 60_000 - 1);
  t.equal(registry.find(interaction.id), interaction);
  registry.sweep(endedAt + 10 * 60_000);
  t.equal(registry.find(interaction.id), undefined);
  registry.sweep(endedAt + 20 * 60_000);
});

t.test('thousands come and go, and exactly those that fit are known', async (t) => {
  const registry = new Registry(MIB);
  const all = Array.from({ length: 5000 }, () => ended(100));
  for (const interaction of all) {
    registry.add(interaction);
    registry.retire(interaction);
  }
  const known = all.map(({ id }) => registry.find(id) !== undefined);
  t.equal(known.indexOf(true), known.length - known.filter(Boolean).length, 'the newest, without a gap');
  const { bytes } = all[0] as Interaction;
  t.equal(known.filter(Boolean).length, Math.floor(MIB / bytes));
});

t.test('one that is forgotten is let go', async (t) => {
  const registry = new Registry(MIB);
  const all = Array.from({ length: 100 }, () => {
    const interaction = ended(100_000);
    registry.add(interaction);
    registry.retire(interaction);
    return new WeakRef(interaction);
  });
  // What a WeakRef has shown in this turn of the event loop is held until its end.
  await tick();
  collectGarbage();
  const held = all.filter((each) => each.deref() !== undefined).length;
  t.ok(held <= 6, `${held} of 100 are held`);
  registry.sweep(Date.now());
});
