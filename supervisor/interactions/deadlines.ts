// Which deadline a live interaction has passed, if any.
import type { Config } from '../../shared/config.ts';
import type { EndCode } from '../../shared/errors.ts';
import type { Course } from './course.ts';
import type { InteractionsOptions } from './options.ts';

export type Verdict =
  | { readonly type: 'enforce' }
  | { readonly type: 'cancel'; readonly code: EndCode; readonly message?: string; readonly graceMs?: number };

/** So long an agent is given when the token of its caller has ended: its readers are to have the end before their connections are cut. */
const TOKEN_END_GRACE_MS = 300;

/**
 * Looks at one interaction. A reader that is behind makes the worker wait, so its time does not count as the worker's silence.
 * @param hasWorkers whether any worker lives
 * @returns undefined while it may go on
 */
export function passedDeadline(
  course: Course,
  now: number,
  config: Config,
  hasWorkers: boolean,
  tokenEnd: InteractionsOptions['tokenEnd'],
): Verdict | undefined {
  const { interaction, slot } = course;
  if (course.ending) return undefined;
  if (course.cancel !== null) return now >= course.cancelDeadline ? { type: 'enforce' } : undefined;
  if (interaction.ageMs > config.chatTimeoutMs) {
    return { type: 'cancel', code: 'TIMEOUT', message: `The interaction took longer than ${config.chatTimeoutMs / 1000} s.` };
  }
  const ended = tokenEnd(interaction.request.token);
  if (ended !== null) return { type: 'cancel', code: 'CANCELLED', message: ended, graceMs: TOKEN_END_GRACE_MS };
  if (isUnread(course, now)) return { type: 'cancel', code: 'CANCELLED', message: 'The client went away.' };
  if (slot === null) {
    // How long its own worker may take to start is BOOT_TIMEOUT_SECONDS.
    const waits = course.job !== null && course.own?.isWaiting !== false && now - course.waitingSince > config.queueTimeoutMs;
    return waits ? { type: 'cancel', code: hasWorkers ? 'QUEUE_TIMEOUT' : 'NO_WORKERS' } : undefined;
  }
  if (interaction.pacer?.behind === true) course.lastFrameAt = now;
  if (now - course.lastFrameAt <= config.chatIdleTimeoutMs) return undefined;
  return { type: 'cancel', code: 'TIMEOUT', message: `The agent was silent for more than ${config.chatIdleTimeoutMs / 1000} s.` };
}

/** Whether its readers have been gone for longer than it may go on without them. */
export function isUnread(course: Course, now: number): boolean {
  const { onDisconnect, disconnectGraceMs } = course.interaction.request;
  return onDisconnect === 'cancel' && course.unreadSince !== null && now - course.unreadSince >= disconnectGraceMs;
}
