// Two workers of the agent that breaks as it is asked to, its streams by the thread they run in, and the replacement of a worker.
import type { Test } from 'tap';
import { stream, type OpenedStream } from './http_client.ts';
import type { StartedServer } from './process.ts';
import { serve } from './serve.ts';
import { settledWorkers } from './server_status.ts';
import { endOf } from './stream_end.ts';
import { waitFor } from './wait_for.ts';

export const serveFaulty = (t: Test): Promise<StartedServer> =>
  serve(t, 'faulty', {
    args: ['--workers', '2', '--worker-heap-mb', '64'],
    env: { STUCK_TIMEOUT_SECONDS: '2', CANCEL_GRACE_SECONDS: '0.5' },
  });

/** How often something is done: little, for every run of the tests; ROUNDS=100 for a thorough one. */
export const rounds = (usual: number): number => Number(process.env['ROUNDS'] ?? usual);

/** A stream whose agent has begun. */
export interface Begun {
  readonly opened: OpenedStream;
  readonly thread: string;
  readonly interactionId: string;
}

export async function begin({ url }: StartedServer, message: string): Promise<Begun> {
  const opened = await stream(url, { message });
  return { opened, thread: (await opened.until('text')).content.content ?? '', interactionId: String(opened.headers['x-interaction-id']) };
}

/** So many that answer in twenty pieces within a second. */
export const beginSome = (server: StartedServer, count: number): Promise<Begun[]> =>
  Promise.all(Array.from({ length: count }, () => begin(server, 'hello')));

export const endsOf = (streams: readonly Begun[]): Promise<string[]> => Promise.all(streams.map(async ({ opened }) => endOf(await opened.ended)));

/** Asks for such answers, so many at a time, until it is stopped. @returns all of them, once they are over */
export function keepMeeting(server: StartedServer, count: number): { stop(): Promise<readonly Begun[]> } {
  const met: Begun[] = [];
  let isOver = false;
  const meet = async (): Promise<void> => {
    while (!isOver) {
      const neighbour = await begin(server, 'hello');
      met.push(neighbour);
      await neighbour.opened.ended;
    }
  };
  const meeting = Promise.all(Array.from({ length: count }, meet));
  return {
    async stop() {
      isOver = true;
      await meeting;
      return met;
    },
  };
}

const PIECES = Array.from({ length: 20 }, (_, i) => ` ${i + 1}`).join('');

/** Whether all twenty pieces came. */
export function isComplete({ opened, thread }: Begun): boolean {
  return opened.events.map(({ content }) => (content.type === 'text' ? content.content : '')).join('') === `${thread}${PIECES}`;
}

export const workersOf = (server: StartedServer): Promise<readonly number[]> => waitFor('two ready workers', () => settledWorkers(server, 2));

/** Both workers are ready, and one of them is none of those there were. */
export async function replacementOf(server: StartedServer, before: readonly number[]): Promise<readonly number[]> {
  return waitFor('a new worker beside the old one', async () => {
    const ids = await settledWorkers(server, 2);
    return ids !== null && ids.some((id) => !before.includes(id)) ? ids : null;
  });
}
