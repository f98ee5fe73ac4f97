// Ships the spool into a database for as long as that can be used, and tries again when it can.
import { setTimeout as delay } from 'node:timers/promises';
import type { ShipCommand, ShipReport, UpkeepWork } from '../../shared/log_protocol.ts';
import type { LogStore } from './log_store.ts';
import type { SpoolReader } from './spool_reader.ts';
import { whyUnreachable } from './unreachable.ts';
import { createWake } from './wake.ts';

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 2000;
/** A database that was used for so long was not lost at once. */
const STEADY_MS = 30_000;
const MAINTAIN_EVERY_MS = 3_600_000;
const MAINTAIN_AGAIN_MS = 60_000;
/** Who writes finds by then that the database is gone, and tells that. */
const TELL_AFTER_MS = 1000;
/** Between portions of rows that are deleted: others want to write as well. */
const EXPIRE_PAUSE_MS = 50;

interface ShippingOptions {
  readonly reader: SpoolReader;
  readonly retentionDays: number;
  /** Rejects where the database cannot be used now, and when the signal comes. */
  openStore(signal: AbortSignal): Promise<LogStore>;
  report(report: ShipReport): void;
}

export interface Shipping {
  take(command: ShipCommand): void;
  /** Resolves when it has been closed, and nothing of it is left. */
  readonly ended: Promise<void>;
}

export function startShipping({ reader, retentionDays, openStore, report }: ShippingOptions): Shipping {
  const grown = createWake();
  /** The time to ship what there is is over. */
  const over = new AbortController();
  let isClosing = false;
  let told: string | null | undefined;
  /** Why each work that is done every hour fails, as it was told. */
  const failing = new Map<UpkeepWork, string | null>();

  /** @param reason null: it answers */
  const tell = (reason: string | null): void => {
    if (told === reason || over.signal.aborted) return;
    told = reason;
    report({ type: 'connected', connected: reason === null, reason });
  };

  /** Resolves when there is no more and no more will come. */
  const shipAll = async (store: LogStore, signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      const portion = await reader.next();
      if (portion === null) {
        tell(null);
        if (isClosing) return store.settle();
        await grown.wait(Number.POSITIVE_INFINITY, signal);
        continue;
      }
      if (portion.records.length > 0) await store.add(portion.records);
      tell(null);
      await reader.shipped(portion);
      for (const range of portion.damaged) report({ type: 'damaged', ...range });
      report({ type: 'shipped', ...portion.end, records: portion.records.length });
    }
  };

  /** @returns whether it went well: that something of it took too long, or is not allowed, is no reason to stop those who write */
  const tried = async (work: UpkeepWork, signal: AbortSignal, run: () => Promise<void>): Promise<boolean> => {
    let reason: string | null = null;
    try {
      await run();
    } catch (error) {
      reason = whyUnreachable(error);
      await pause(TELL_AFTER_MS, signal);
    }
    if (!signal.aborted && reason !== (failing.get(work) ?? null)) {
      failing.set(work, reason);
      report({ type: 'upkeep', work, reason });
    }
    return reason === null;
  };

  const maintain = async (store: LogStore, signal: AbortSignal): Promise<void> => {
    const expire = async (): Promise<void> => {
      while (retentionDays > 0 && !signal.aborted && (await store.expire(retentionDays))) await pause(EXPIRE_PAUSE_MS, signal);
    };
    while (!signal.aborted) {
      const went = [await tried('retention', signal, expire), await tried('maintenance', signal, () => store.maintain())];
      await pause(went.includes(false) ? MAINTAIN_AGAIN_MS : MAINTAIN_EVERY_MS, signal);
    }
  };

  /** Resolves when all is shipped at the close, rejects when the database can be used no more. */
  const useStore = async (store: LogStore): Promise<void> => {
    const done = new AbortController();
    const signal = AbortSignal.any([over.signal, done.signal]);
    const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    const shipped = shipAll(store, signal);
    const beside = Promise.all([store.work(signal), maintain(store, signal)]);
    try {
      // What is beside ends because of the signal, or because the database is gone.
      await Promise.race([shipped, stopped, beside.then(() => stopped)]);
    } finally {
      done.abort();
      await store.close();
      await Promise.allSettled([shipped, beside]);
    }
  };

  const run = async (): Promise<void> => {
    let retryMs = FIRST_RETRY_MS;
    while (!over.signal.aborted) {
      const startedAt = performance.now();
      try {
        await useStore(await openStore(over.signal));
        break;
      } catch (error) {
        tell(whyUnreachable(error));
        if (performance.now() - startedAt > STEADY_MS) retryMs = FIRST_RETRY_MS;
        await pause(retryMs, over.signal);
        retryMs = Math.min(LAST_RETRY_MS, retryMs * 2);
      }
    }
    await reader.close();
    report({ type: 'closed' });
  };

  return {
    take(command) {
      switch (command.type) {
        case 'appended':
          reader.appended({ segment: command.segment, offset: command.offset });
          grown.now();
          return;
        case 'close':
          isClosing = true;
          setTimeout(() => over.abort(), command.graceMs).unref();
          grown.now();
          return;
        default:
          command satisfies never;
      }
    },
    ended: run(),
  };
}

/** Resolves at the signal as well. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}
