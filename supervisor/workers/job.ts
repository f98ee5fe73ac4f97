// What wants a worker, until it has one.
import type { InteractionTask } from '../../shared/protocol.ts';
import type { Slot } from './slot.ts';
import type { SlotListener } from './slot_listener.ts';

/** What a worker is sent; the slot adds the seat. */
export type SentTask = Omit<InteractionTask, 'seat'>;

/** An interaction that wants a worker. */
export interface Job {
  /** Called when a worker has been found, and its seat is held: what it is sent, or null when it is wanted no longer. Never rejects. */
  task(): SentTask | null | Promise<SentTask | null>;
  readonly listener: SlotListener;
  /** Called with the worker that got it. */
  assigned(slot: Slot): void;
}
