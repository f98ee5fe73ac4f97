// The interactions of a server over workers without threads, and what became of each: for its caller, its session and the limits.
import { join } from 'node:path';
import { pino } from 'pino';
import type { Test } from 'tap';
import type { Config } from '../../shared/config.ts';
import type { InteractionEnd } from '../../shared/protocol.ts';
import type { Interaction, InteractionRequest } from '../../supervisor/interactions/interaction.ts';
import { Interactions } from '../../supervisor/interactions/interactions.ts';
import type { InteractionsOptions } from '../../supervisor/interactions/options.ts';
import { Sessions } from '../../supervisor/interactions/sessions.ts';
import { openEmbeddedStore } from '../../supervisor/store/embedded.ts';
import type { SessionOrder } from '../../supervisor/store/order.ts';
import { memoryOrder } from '../../supervisor/store/order_memory.ts';
import type { EmbeddedSessions } from '../../supervisor/store/sqlite.ts';
import { Dispatcher } from '../../supervisor/workers/dispatcher.ts';
import type { Slot } from '../../supervisor/workers/slot.ts';
import type { SlotListener } from '../../supervisor/workers/slot_listener.ts';
import { fakeGeneration, fakeSlot, type FakeSlot } from './fake_slot.ts';
import { makeFolder } from './folder.ts';
import { requestOf } from './requests.ts';

const CONFIG = {
  resumeMemoryBytes: 1024 * 1024, chatTimeoutMs: 60_000, chatIdleTimeoutMs: 60_000, queueTimeoutMs: 60_000, cancelGraceMs: 150,
  sessionTtlMs: 60_000,
} as Config;
/** What a worker says at a good end. */
export const FINISHED: Extract<InteractionEnd, { status: 'success' }> = {
  status: 'success', model: null, contentJson: '"hello"', restJson: '"agent":"a"', items: '[{"type":"message","role":"user","content":"hi"}]', itemCount: 1,
  usage: null,
};

export interface Harness {
  readonly interactions: Interactions;
  readonly dispatcher: Dispatcher;
  readonly store: EmbeddedSessions;
  readonly slots: readonly FakeSlot[];
  /** Statuses and codes, in the order in which they ended. */
  readonly ends: readonly string[];
  /** Of each that the limits have let begin, its key and how often they were told that it is over: `a 1`. */
  readonly counted: readonly string[];
  /** Tokens that have ended, by id, each with what is told of it. */
  readonly ended: Map<string, string>;
  start(overrides?: Partial<InteractionRequest>): Interaction;
}

/** @param order of sessions, in the place of the embedded one */
export async function openInteractions(t: Test, slots: readonly (FakeSlot & Slot)[] = [fakeSlot(8)], queueLimit = 10, order?: SessionOrder): Promise<Harness> {
  const embedded = openEmbeddedStore(join(await makeFolder(t), 'state.db'));
  const store = embedded.sessions;
  const dispatcher = new Dispatcher(() => fakeGeneration(...slots), queueLimit);
  const log = pino({ level: 'silent' });
  const ends: string[] = [];
  const counts: { readonly key: string; over: number }[] = [];
  const ended = new Map<string, string>();
  const tokenEnd: InteractionsOptions['tokenEnd'] = (token) => (token === null ? null : (ended.get(token.id) ?? null));
  const begin = (key: string) => {
    const count = { key, over: 0 };
    counts.push(count);
    return () => void (count.over += 1);
  };
  const interactions = new Interactions({
    config: CONFIG,
    log,
    sessions: new Sessions({ store, order: order ?? memoryOrder((id) => store.owner(id, Date.now())), config: CONFIG, tokenEnd, log }),
    dispatcher,
    limits: { begin },
    agentName: 'a',
    tokenEnd,
    maxItems: () => 10,
    records: null,
    onEnd: ({ status, error }) => void ends.push(error === null ? status : `${status} ${error.code}`),
  });
  t.teardown(() => {
    interactions.close();
    embedded.close();
  });
  return {
    interactions,
    dispatcher,
    store,
    slots,
    ends,
    get counted() {
      return counts.map(({ key, over }) => `${key} ${over}`);
    },
    ended,
    start: (overrides) => interactions.start(requestOf(overrides)) as Interaction,
  };
}

export const slotOf = ({ slots }: Harness, index = 0): FakeSlot => slots[index] as FakeSlot;

/** What the worker says of it. */
export function listenerOf(harness: Harness, { id }: Interaction, index = 0): SlotListener {
  const listener = slotOf(harness, index).running.get(id);
  if (listener === undefined) throw new Error('the worker has no such interaction');
  return listener;
}

export async function succeed(harness: Harness, interaction: Interaction): Promise<void> {
  listenerOf(harness, interaction).ended(FINISHED);
  slotOf(harness).running.delete(interaction.id);
  await interaction.ended;
}
