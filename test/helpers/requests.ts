// A validated request for an interaction, with defaults for what a test does not care about.
import { randomUUID } from 'node:crypto';
import type { InteractionRequest } from '../../supervisor/interactions/interaction.ts';

export function requestOf(overrides: Partial<InteractionRequest> = {}): InteractionRequest {
  return {
    id: randomUUID(),
    sessionId: randomUUID(),
    sessionIsNew: overrides.sessionId === undefined,
    userId: 'user',
    owner: 'anonymous',
    token: null,
    limitKey: 'address:127.0.0.1',
    facts: null,
    message: 'hi',
    files: [],
    verbose: false,
    env: {},
    reinitialize: false,
    onDisconnect: 'cancel',
    disconnectGraceMs: 0,
    streamed: false,
    ...overrides,
  };
}
