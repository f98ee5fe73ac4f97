// Has a worker answer one message before any caller sees it: what loads may still fail its first use.
import { randomUUID } from 'node:crypto';
import { ERRORS, eventCode, type EndCode } from '../../shared/errors.ts';
import type { Slot } from './slot.ts';

/** Answers that say nothing. */
const EMPTY: readonly string[] = ['""', 'null'];

/**
 * Runs one interaction, of no session and in no log. It costs what it costs: model calls, tools.
 * @param slot a worker that is ready and has nothing else
 * @throws Error that says with which code and why the answer failed, that it took too long or was empty
 */
export async function smokeTest(slot: Slot, message: string, timeoutMs: number): Promise<void> {
  const id = randomUUID();
  const done = Promise.withResolvers<void>();
  const fail = (code: EndCode, words: string = ERRORS[code].message): void => done.reject(new Error(`smoke_test: ${eventCode(code)}: ${words}`));
  const timer = setTimeout(() => {
    slot.cancel(id, 0);
    done.reject(new Error(`smoke_test: no answer within ${timeoutMs / 1000} s (BOOT_TIMEOUT_SECONDS)`));
  }, timeoutMs);
  slot.run(
    { id, sessionId: id, userId: 'smoke_test', message, files: [], turns: [], turnCount: 0, env: {}, verbose: false, joinText: true },
    {
      started: () => undefined,
      // Nobody reads it: whatever came is taken.
      events: (events) => slot.credit(id, events.reduce((sum, { length }) => sum + length, 0)),
      active: () => undefined,
      ended: (end) => {
        if (end.status === 'error') fail(end.code, end.message);
        else if (EMPTY.includes(end.contentJson)) done.reject(new Error('smoke_test: the answer is empty'));
        else done.resolve();
      },
      lost: (code) => fail(code),
    },
  );
  await done.promise.finally(() => clearTimeout(timer));
}
