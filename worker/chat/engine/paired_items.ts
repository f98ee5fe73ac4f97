// What of a session may be sent: both APIs refuse a whole request for one call without a result, or one result without a call.
import type { ModelItem } from '../../../shared/chat.ts';

/** Leaves out what has no counterpart, as an agent of another kind may have kept it. */
export function pairedItems(items: readonly ModelItem[]): readonly ModelItem[] {
  const calls = new Set<string>();
  const results = new Set<string>();
  for (const item of items) {
    if (item.type === 'function_call') calls.add(item.callId);
    else if (item.type === 'function_call_result' && calls.has(item.callId)) results.add(item.callId);
  }
  return items.filter((item) => (item.type !== 'function_call' && item.type !== 'function_call_result') || results.has(item.callId));
}
