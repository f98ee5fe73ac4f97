// What the heap of this thread holds that no collection frees: learned whenever V8 has made a full one, and never by asking for one, which would stop
// every interaction for up to a second.
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, getHeapStatistics } from 'node:v8';
import type { HeapFigures } from '../../shared/protocol.ts';

const MB = 1024 * 1024;
/** What V8 makes of the young generation that workers are started with: three semi-spaces of 8 MB. Measured: 88 MB in all of a thread with 64. */
const YOUNG_MB = 24;

export interface HeapWatch {
  /** After the latest full collection, or of now where there was none. */
  lasting(): HeapFigures;
  close(): void;
}

/** @param onFull told after each full collection */
export function watchHeap(onFull: () => void): HeapWatch {
  let latest: HeapFigures | undefined;
  const observer = new PerformanceObserver((list) => {
    if (!list.getEntries().some(isFull)) return;
    latest = oldGeneration();
    onFull();
  });
  observer.observe({ entryTypes: ['gc'] });
  return {
    lasting: () => latest ?? oldGeneration(),
    close: () => observer.disconnect(),
  };
}

function isFull(entry: object): boolean {
  return (entry as { readonly detail?: { readonly kind?: number } }).detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR;
}

/** The old generation only: the young one may already hold what was made since the collection. */
function oldGeneration(): HeapFigures {
  const old = getHeapSpaceStatistics().filter(({ space_name: name }) => !name.startsWith('new_'));
  const mb = old.reduce((sum, { space_used_size: bytes }) => sum + bytes, 0) / MB;
  return { mb: Math.round(mb * 10) / 10, capMb: Math.round(getHeapStatistics().heap_size_limit / MB - YOUNG_MB) };
}
