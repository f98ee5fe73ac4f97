// What a slot tells of an interaction, to whoever started it.
import type { ModelName } from '../../shared/chat.ts';
import type { EndCode } from '../../shared/errors.ts';
import type { InteractionEnd } from '../../shared/protocol.ts';

/** What the owner of an interaction is told; exactly one of `ended` and `lost` comes, last. */
export interface SlotListener {
  started(model: ModelName | null): void;
  events(events: readonly string[]): void;
  /** It goes on, without anything to show. */
  active(): void;
  ended(end: InteractionEnd): void;
  /** The worker is gone; `started` tells whether the agent may have done something. */
  lost(code: EndCode, started: boolean): void;
}
