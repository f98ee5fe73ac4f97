// What a worker is started with, for an agent of test/fixtures, and the words in which it tells of an interaction.
import { join } from 'node:path';
import type { InteractionTask } from '../../shared/protocol.ts';
import type { SlotListener } from '../../supervisor/workers/slot_listener.ts';
import type { WorkerSettings } from '../../supervisor/workers/thread.ts';
import { PROJECT } from './process.ts';

export function settingsOf(agent: string, overrides: Partial<WorkerSettings> = {}): WorkerSettings {
  return {
    agentFile: join(PROJECT, 'test/fixtures/agents', agent),
    definition: null,
    usedDefinitions: {},
    configRoot: join(PROJECT, 'test/fixtures'),
    agentName: 'fixture',
    baseEnv: {},
    tellsFiles: false,
    modules: { read: [], found: [] },
    temperature: null,
    maxTokens: null,
    concurrency: 4,
    heapMb: 128,
    ...overrides,
  };
}

export function taskOf(id: string, message: string): Omit<InteractionTask, 'seat'> {
  return { id, sessionId: 's', userId: 'u', message, files: [], turns: [], turnCount: 0, env: {}, verbose: false, joinText: false };
}

/** Remembers what it is told, each as one line. */
export function recordingListener(told: string[]): SlotListener {
  return {
    started: () => void told.push('started'),
    events: (events) => events.forEach((event) => void told.push(`text ${(JSON.parse(event) as { content: string }).content}`)),
    active: () => undefined,
    ended: (end) => void told.push(`ended ${end.status === 'success' ? end.contentJson : end.code}`),
    lost: (code, started) => void told.push(`lost ${code} ${started ? 'after' : 'before'} it began`),
  };
}
