// What a worker tells of itself: its heap, and how late its event loop was.
import { getHeapStatistics } from 'node:v8';
import type { HeapFigures } from '../../shared/protocol.ts';
import { watchHeap } from './heap.ts';
import type { Line } from './line.ts';

export interface Gauges {
  /** The event loop was so late, in ms. */
  late(ms: number): void;
  post(): void;
  lastingHeap(): HeapFigures;
  close(): void;
}

/** They are posted after each full collection too: a heap that fills up fast leaves little time. */
export function createGauges(line: Line): Gauges {
  let lagMs = 0;
  const post = (): void => {
    const heapMb = inTenths(getHeapStatistics().used_heap_size / 1024 / 1024);
    line.post({ type: 'gauges', heapMb, lastingHeap: heap.lasting(), eventLoopLagMs: inTenths(lagMs) });
    lagMs = 0;
  };
  const heap = watchHeap(post);
  return {
    late(ms) {
      lagMs = Math.max(lagMs, ms);
    },
    post,
    lastingHeap: heap.lasting,
    close: heap.close,
  };
}

function inTenths(value: number): number {
  return Math.round(value * 10) / 10;
}
