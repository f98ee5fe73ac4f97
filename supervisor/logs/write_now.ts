// Writes lines of the spool without waiting for a turn of the event loop, for a process that is about to end.
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { segmentName } from '../../shared/spool_format.ts';

/**
 * Writes them to a segment of their own: another one may be written to at the same time. A line that is there already changes no row by being there
 * twice. What cannot be written is left out, as if the process had ended before.
 * @param number of the segment, or the next that is free
 */
export function writeNow(directory: string, number: number, lines: readonly Buffer[]): void {
  try {
    const file = begin(directory, number);
    const bytes = Buffer.concat(lines);
    for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
    closeSync(file);
  } catch {
    // Nobody is left to hear of it: the next start finds what was open, and tells that it was interrupted.
  }
}

function begin(directory: string, number: number): number {
  for (;;) {
    try {
      return openSync(join(directory, segmentName(number)), 'wx', 0o600);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      number += 1;
    }
  }
}
