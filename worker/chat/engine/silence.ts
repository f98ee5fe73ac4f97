// Watches a call for silence: one timer that every sign of life refreshes, and one signal that the call runs under.

export interface SilenceWatch {
  /** Aborted by the interaction's own signal, and by silence. */
  readonly signal: AbortSignal;
  /** True when silence has ended the call. */
  readonly expired: boolean;
  /** From now on a sign of life is due. */
  listen(): void;
  /** It came, and the time until the next `listen` does not count: the reader may be slow, which is not the upstream's fault. */
  heard(): void;
  end(): void;
}

/** Watches for `timeoutMs` of silence until `end()`, which must be called. */
export function watchSilence(timeoutMs: number, signal: AbortSignal): SilenceWatch {
  const controller = new AbortController();
  const onAbort = () => controller.abort(signal.reason);
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  let listening = false;
  let expired = false;
  const timer = setTimeout(() => {
    if (!listening) return;
    expired = true;
    controller.abort();
  }, timeoutMs);
  return {
    signal: controller.signal,
    get expired() {
      return expired;
    },
    listen() {
      listening = true;
      timer.refresh();
    },
    heard() {
      listening = false;
    },
    end() {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    },
  };
}
