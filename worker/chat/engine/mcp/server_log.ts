// What an MCP server prints, and what becomes of its connection, for the worker's log: bounded, and without secrets.
import { scrub } from '../scrub.ts';

export interface ServerLog {
  info(text: string): void;
  warn(text: string): void;
  /** A line of the server's own. */
  printed(line: string): void;
}

const LONGEST_LINE = 2048;
/** So many lines of the server's own at once, and so many a second in the long run; the others are counted. */
const BURST = 100;
const LINES_PER_SECOND = 10;

/** @param secrets values that no line shows */
export function createServerLog(server: string, secrets: readonly string[], now: () => number = () => performance.now()): ServerLog {
  let room = BURST;
  let filledAt = now();
  let dropped = 0;
  const write = (stream: 'stdout' | 'stderr', text: string) => {
    // The streams of a worker are its log: stdout arrives as info, stderr as warn (isolation.ts).
    process[stream].write(`MCP server ${server}: ${scrub(text, secrets, LONGEST_LINE)}\n`);
  };
  return {
    info: (text) => write('stdout', text),
    warn: (text) => write('stderr', text),
    printed(line) {
      room = Math.min(BURST, room + ((now() - filledAt) / 1000) * LINES_PER_SECOND);
      filledAt = now();
      if (room < 1) {
        dropped += 1;
        return;
      }
      room -= 1;
      if (dropped > 0) write('stderr', `${dropped} lines that it printed were dropped`);
      dropped = 0;
      if (line.trim() !== '') write('stdout', line);
    },
  };
}
