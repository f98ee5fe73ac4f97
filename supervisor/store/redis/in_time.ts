// Waits for an answer, but not for longer than is said.
import { RedisUnreachable } from './unreachable.ts';

/** @throws RedisUnreachable when there was none in time; what `answer` rejects with */
export function inTime<T>(answer: Promise<T>, limitMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = (): void => reject(new RedisUnreachable(`no answer within ${limitMs} ms`));
    // An event loop that was busy for longer finds the timer before the answer that has been there all the while: what has come is read first.
    const timer = setTimeout(() => setImmediate(() => setImmediate(late)), limitMs);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
