// What a slot is for the generation that it belongs to: its state, and what it tells.
import type { GenerationModules, LogFrameLevel } from '../../shared/protocol.ts';

/**
 * booting → ready ⇄ suspect (no heartbeat for a second), ready ⇄ tainted (to be replaced; it serves on where its replacement does not start, or has no room),
 * any → draining (takes nothing new), any → lost (its thread is gone or given up).
 */
export type SlotState = 'booting' | 'ready' | 'suspect' | 'tainted' | 'draining' | 'lost';

/** @typeParam Slot named by slot.ts, which this file cannot import in its turn */
export interface SlotOwner<Slot> {
  stateChanged(slot: Slot, reason: string): void;
  /** A seat became free. */
  seatFreed(slot: Slot): void;
  /** It is the first of the generation to have these, or one of the first. */
  modulesRead(modules: GenerationModules): void;
  agentLog(slot: Slot, interactionId: string | null, level: LogFrameLevel, text: string): void;
}
