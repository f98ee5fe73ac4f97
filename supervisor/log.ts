// The server's own log: structured lines on stderr, as text for a person at a terminal or as JSON for everything else.
import { pino, type Logger as PinoLogger } from 'pino';
import type { LogLevel } from '../shared/variables.ts';

export type Logger = PinoLogger;

/** Credentials have no place in a line, whatever is logged. */
const REDACTED = ['headers.authorization', 'headers.cookie', 'headers["x-api-key"]', 'headers["api-token"]', 'headers.api_token', '*.authorization'];

export async function createLog(level: LogLevel, format: 'text' | 'json'): Promise<Logger> {
  const options = { level, base: null, redact: REDACTED };
  if (format === 'text') {
    const { PinoPretty } = await import('pino-pretty');
    return pino(options, PinoPretty({ colorize: process.stderr.isTTY, destination: 2, translateTime: 'SYS:HH:MM:ss.l', ignore: 'pid,hostname', sync: true }));
  }
  // Asynchronous, so that a slow reader of stderr never holds the event loop; what it leaves behind is written at the end by `flushSync`.
  const destination = pino.destination({ fd: 2, sync: false, maxLength: 16 * 1024 * 1024 });
  const log = pino({ ...options, formatters: { level: (label) => ({ level: label }) }, timestamp: pino.stdTimeFunctions.isoTime }, destination);
  tellDrops(destination, log);
  return log;
}

/** Lines that no reader took in time are dropped rather than kept without bound; how many, is told once there is room again. */
function tellDrops(destination: ReturnType<typeof pino.destination>, log: Logger): void {
  let dropped = 0;
  destination.on('drop', () => {
    dropped += 1;
  });
  destination.on('drain', () => {
    if (dropped === 0) return;
    const count = dropped;
    dropped = 0;
    log.warn(`${count} lines of this log were dropped, as its reader is too slow`);
  });
}
