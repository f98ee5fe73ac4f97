// Goes on at once where something is known at once, and later where it is promised: what needs no store that is far away costs no turn of the event loop.

/** @returns what `next` returns; rejects, or throws, as `value` and `next` do */
export function after<T, U>(value: T | Promise<T>, next: (value: T) => U | Promise<U>): U | Promise<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** Calls `failed` with what `ask` throws or rejects with. */
export function orElse<T>(ask: () => T | Promise<T>, failed: (error: unknown) => T | Promise<T>): T | Promise<T> {
  try {
    const answer = ask();
    return answer instanceof Promise ? answer.catch(failed) : answer;
  } catch (error) {
    return failed(error);
  }
}
