// Waits for a worker to have loaded its agent, and gives it up when that takes too long.
import type { AgentFacts } from '../../shared/protocol.ts';
import type { Slot } from './slot.ts';

/** Resolves when it has loaded the agent. @throws BootError when it does not within `limitMs`, which is BOOT_TIMEOUT_SECONDS */
export async function bootedInTime(slot: Slot, limitMs: number): Promise<AgentFacts> {
  const late = () => `the agent did not load within ${limitMs / 1000} s (BOOT_TIMEOUT_SECONDS)${awaitedBy(slot)}`;
  const timer = setTimeout(() => void slot.lose('WORKER_CRASHED', late()), limitMs);
  try {
    return await slot.booted;
  } finally {
    clearTimeout(timer);
  }
}

/** The MCP servers that its agent still waits for, as the end of a sentence; '' where there is none. */
function awaitedBy({ mcps }: Slot): string {
  const names = mcps.flatMap(({ name, state }) => (state === 'connecting' ? [name] : []));
  if (names.length === 0) return '';
  return `; it still waited for the MCP server${names.length === 1 ? '' : 's'} ${names.join(', ')}`;
}
