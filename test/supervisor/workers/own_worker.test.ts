// Workers for one interaction each: no more at once than the generation has, each ended with its interaction, wherever that stands.
import t from 'tap';
import type { Generation } from '../../../supervisor/workers/generation.ts';
import { OwnWorkers, type OwnJob } from '../../../supervisor/workers/own_worker.ts';
import type { Slot } from '../../../supervisor/workers/slot.ts';
import type { WorkerSettings } from '../../../supervisor/workers/thread.ts';
import { fakeSlot, type FakeSlot } from '../../helpers/fake_slot.ts';

interface OwnSlot extends FakeSlot {
  readonly settings: WorkerSettings;
  readonly boot: PromiseWithResolvers<void>;
  /** Ends its thread, which `close` has asked for. */
  readonly gone: PromiseWithResolvers<void>;
}

const SETTINGS = {
  baseEnv: { BASE: 'b', REGION: 'b', TENANT: 'b' },
  concurrency: 8,
  usedDefinitions: { root: { value: { environment: ['REGION=root', 'TENANT=root'] } }, used: { value: { environment: ['REGION=used', 'USED=u=1'] } } },
} as unknown as WorkerSettings;

/** A generation of so many workers, whose own workers boot and end when the test says so. */
function create(workers = 1) {
  const started: OwnSlot[] = [];
  const generation = {
    serving: Array.from({ length: workers }, () => fakeSlot()),
    startBeside(settingsFrom: (settings: WorkerSettings) => WorkerSettings): Slot {
      const gone = Promise.withResolvers<void>();
      const boot = Promise.withResolvers<void>();
      const slot: FakeSlot & Slot = Object.assign(fakeSlot(1, 'booting'), {
        close: (graceMs: number) => (slot.asked.push(`close ${graceMs}`), boot.reject(new Error('closed')), gone.promise),
      });
      started.push(Object.assign(slot, { settings: settingsFrom(SETTINGS), boot, gone }));
      return slot;
    },
    bootedInTime: async (slot: Slot) => {
      await (slot as unknown as OwnSlot).boot.promise;
      (slot as unknown as FakeSlot).state = 'ready';
    },
  };
  return { workers: new OwnWorkers(() => generation as unknown as Generation), started };
}

function jobOf(id: string, told: string[], env: OwnJob['env'] = {}): OwnJob {
  return {
    env,
    task: () => ({ id }) as ReturnType<OwnJob['task']>,
    listener: { lost: (code: string, began: boolean) => void told.push(`lost ${code} ${began}`) } as unknown as OwnJob['listener'],
    assigned: () => void told.push('assigned'),
    failed: (reason) => void told.push(`failed: ${reason}`),
  };
}

const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const at = (started: readonly OwnSlot[], index: number): OwnSlot => started[index] as OwnSlot;

t.test('its environment is the base, what the definitions set, what the request sets; one interaction at a time', async (t) => {
  const { workers, started } = create();
  void workers.reserve().run(jobOf('a', [], { TENANT: 'me' }));
  await soon();
  t.match(at(started, 0).settings, { concurrency: 1, baseEnv: { BASE: 'b', REGION: 'root', USED: 'u=1', TENANT: 'me' } });
});

t.test('the interaction gets it when it is ready; its end ends it', async (t) => {
  const { workers, started } = create();
  const told: string[] = [];
  const own = workers.reserve();
  void own.run(jobOf('a', told));
  await soon();
  at(started, 0).boot.resolve();
  await soon();
  t.strictSame(told, ['assigned']);
  own.end();
  own.end();
  t.strictSame(at(started, 0).asked, ['run a', 'close 1000']);
});

t.test('what ends while its worker boots does not run, and is told nothing', async (t) => {
  const { workers, started } = create();
  const told: string[] = [];
  const own = workers.reserve();
  void own.run(jobOf('a', told));
  await soon();
  own.end();
  await soon();
  t.strictSame([at(started, 0).asked, told], [['close 0'], []]);
});

t.test('a boot that fails is told, with the reason', async (t) => {
  const { workers, started } = create();
  const told: string[] = [];
  void workers.reserve().run(jobOf('a', told));
  await soon();
  at(started, 0).boot.reject(new Error('no'));
  await soon();
  t.strictSame(told, ['failed: Error: no']);
});

t.test('one that was lost before the interaction began leaves it to the next', async (t) => {
  const { workers, started } = create(2);
  const told: string[] = [];
  const own = workers.reserve();
  const job: OwnJob = { ...jobOf('a', told), task: () => ((at(started, 0).state = 'lost'), { id: 'a' } as ReturnType<OwnJob['task']>) };
  void own.run(job);
  await soon();
  at(started, 0).boot.resolve();
  await soon();
  t.strictSame(told, ['assigned', 'lost WORKER_CRASHED false']);
  void own.run(jobOf('a', told));
  await soon();
  at(started, 1).boot.resolve();
  await soon();
  t.strictSame(started.map(({ asked }) => asked), [['close 1000'], ['run a']]);
});

t.test('more than there are workers are refused; a thread that still ends makes the next wait, and refuses none', async (t) => {
  const { workers, started } = create();
  const first = workers.reserve();
  t.throws(() => workers.reserve(), { code: 'OWN_WORKERS_BUSY' });
  void first.run(jobOf('a', []));
  await soon();
  first.end();
  const second = workers.reserve();
  void second.run(jobOf('b', []));
  await soon();
  t.equal(started.length, 1, 'it waits');
  t.strictSame([first.isWaiting, second.isWaiting], [false, true]);
  second.end();
  void workers.reserve().run(jobOf('c', []));
  at(started, 0).gone.resolve();
  await soon();
  t.equal(started.length, 2, 'one that has ended meanwhile gives its turn away');
  t.notOk(second.isWaiting);
});
