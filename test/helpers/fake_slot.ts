// A slot without a thread: it takes interactions, and tells what was asked of it.
import type { Generation } from '../../supervisor/workers/generation.ts';
import type { Slot } from '../../supervisor/workers/slot.ts';
import type { SlotListener } from '../../supervisor/workers/slot_listener.ts';
import type { SlotState } from '../../supervisor/workers/slot_owner.ts';

export interface FakeSlot {
  state: SlotState;
  heartbeat: number;
  seats: number;
  /** Who listens to what runs in it, by the interaction's id. */
  readonly running: Map<string, SlotListener>;
  /** What was asked of it, such as `run a` or `cancel a`. */
  readonly asked: string[];
}

export function fakeSlot(seats = 1, state: SlotState = 'ready'): FakeSlot & Slot {
  const running = new Map<string, SlotListener>();
  const asked: string[] = [];
  const fake = {
    state,
    heartbeat: 0,
    seats,
    running,
    asked,
    get active() {
      return running.size;
    },
    held: 0,
    get load() {
      return running.size + fake.held;
    },
    hold() {
      fake.held += 1;
      return () => void (fake.held -= 1);
    },
    get hasSeat() {
      return fake.state === 'ready' && running.size + fake.held < fake.seats;
    },
    run(task: { readonly id: string }, listener: SlotListener) {
      asked.push(`run ${task.id}`);
      running.set(task.id, listener);
    },
    cancel: (id: string) => void asked.push(`cancel ${id}`),
    credit: (id: string, units: number) => void asked.push(`credit ${id} ${units}`),
    abandon(id: string) {
      asked.push(`abandon ${id}`);
      running.delete(id);
    },
    taint: () => void asked.push('taint'),
    suspect: () => void asked.push('suspect'),
    recover: () => void asked.push('recover'),
    lose: async (code: string, reason: string) => void asked.push(`lose ${code}: ${reason}`),
  };
  return fake as unknown as FakeSlot & Slot;
}

export function fakeGeneration(...slots: readonly Slot[]): Generation {
  return { serving: slots } as unknown as Generation;
}
