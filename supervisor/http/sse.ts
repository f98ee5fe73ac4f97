// Writes an interaction's events to one connection as Server-Sent Events, at the speed at which it takes them.
import type { ServerResponse } from 'node:http';
import { AppError } from '../../shared/errors.ts';
import type { EventReader, Interaction } from '../interactions/interaction.ts';

/** Of silence, after which a comment shows that the connection lives. */
const PING_AFTER_MS = 15_000;
/** A reader that takes nothing for so long is gone. */
const GONE_AFTER_MS = 60_000;
/** Written at once: small, so that a slow reader that still takes something is told from one that takes nothing. */
const WRITE_LENGTH = 32 * 1024;
const TICK_MS = 1000;

const EVENT_STREAM_HEADERS = {
  'Content-Type': 'text/event-stream',
  'Cache-Control': 'no-store',
  'X-Accel-Buffering': 'no',
  'X-Content-Type-Options': 'nosniff',
} as const;

/** How long the head waits for the first event, to leave together with it. */
const HEAD_DELAY_MS = 10;

interface OpenStream {
  tick(now: number): void;
}

/** All streams share one timer, which runs while there is any. */
const open = new Set<OpenStream>();
let ticker: NodeJS.Timeout | undefined;

export interface FollowOptions {
  /** Id of the last event that the reader has. */
  readonly after: number;
  /** The interaction waits for this reader; `taken` is told how much (UTF-16 units of event JSON) it has taken. */
  readonly taken: ((units: number) => void) | null;
  /** The connection is closed, whoever closed it. */
  onClose(): void;
}

/** Writes the head of a stream, at the latest a moment from now: a client is told that it is admitted before any event is there. */
export function beginEventStream(response: ServerResponse, headers: Readonly<Record<string, string>>): void {
  response.writeHead(200, { ...EVENT_STREAM_HEADERS, ...headers });
  setTimeout(() => response.flushHeaders(), HEAD_DELAY_MS);
}

/**
 * Follows the interaction until its terminal event, then ends the response with [DONE]. The head must have begun.
 * A reader that does not set the pace and falls behind what is kept is cut: it can come back with Last-Event-ID, and is told then.
 */
export function followEvents(response: ServerResponse, interaction: Interaction, options: FollowOptions): void {
  let last = options.after;
  let writtenAt = performance.now();
  let scheduled = false;
  let closed = false;
  let ended = false;
  let owed = 0;

  const reader: EventReader & { behind: boolean } = {
    behind: false,
    get last() {
      return last;
    },
    wake() {
      if (scheduled || reader.behind) return;
      scheduled = true;
      // Frames that came together are written together.
      queueMicrotask(pump);
    },
  };

  const pump = (): void => {
    scheduled = false;
    while (!closed && !reader.behind) {
      const text = nextText();
      const done = interaction.isOver && last === interaction.ring.lastId;
      if (text === '' && !done) return;
      writtenAt = performance.now();
      if (done) {
        ended = true;
        response.end(`${text}data: [DONE]\n\n`);
        settle();
        return;
      }
      reader.behind = !response.write(text);
      if (!reader.behind) settle();
    }
  };

  const nextText = (): string => {
    let text = '';
    while (text.length < WRITE_LENGTH) {
      const batch = interaction.ring.after(last);
      if (batch === 'lost') {
        response.destroy();
        return '';
      }
      if (batch === undefined) return text;
      for (let i = last + 1 - batch.firstId; i < batch.events.length && text.length < WRITE_LENGTH; i++) {
        const event = batch.events[i] as string;
        last += 1;
        owed += event.length;
        text += `id: ${last}\ndata: {"content":${event}${interaction.envelopeEnd}\n\n`;
      }
    }
    return text;
  };

  const settle = (): void => {
    options.taken?.(owed);
    owed = 0;
  };

  const stream: OpenStream = {
    tick(now) {
      if (ended) return;
      if (reader.behind) {
        if (now - writtenAt > GONE_AFTER_MS) response.destroy();
      } else if (now - writtenAt > PING_AFTER_MS) {
        writtenAt = now;
        reader.behind = !response.write(': ping\n\n');
      }
    },
  };

  response.on('drain', () => {
    if (!reader.behind) return;
    reader.behind = false;
    settle();
    pump();
  });
  response.once('close', () => {
    closed = true;
    removeStream(stream);
    interaction.removeReader(reader);
    settle();
    options.onClose();
  });
  addStream(stream);
  interaction.addReader(reader, options.taken !== null);
  pump();
}

/** @returns the id after which to go on @throws AppError MALFORMED_REQUEST */
export function parseLastEventId(field: string | undefined): number {
  if (field === undefined || field === '') return 0;
  if (!/^\d{1,15}$/.test(field)) throw new AppError('MALFORMED_REQUEST', { message: 'Last-Event-ID: expected the number of an event.' });
  return Number(field);
}

function addStream(stream: OpenStream): void {
  open.add(stream);
  ticker ??= setInterval(() => {
    const now = performance.now();
    for (const each of open) each.tick(now);
  }, TICK_MS);
}

function removeStream(stream: OpenStream): void {
  open.delete(stream);
  if (open.size > 0) return;
  clearInterval(ticker);
  ticker = undefined;
}
