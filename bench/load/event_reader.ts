// Cuts a body into server-sent events as it arrives, by their blank lines.

/** An event's bytes lie in `bytes` from `start` to `end`, the blank line left out; valid during the call only. */
export type OnEvent = (bytes: Buffer, start: number, end: number) => void;

export interface EventReader {
  readonly push: (bytes: Buffer) => void;
  /** Bytes of an event that has not ended. */
  readonly unfinished: () => number;
}

const NOTHING = Buffer.alloc(0);

export function createEventReader(onEvent: OnEvent): EventReader {
  let carried: Buffer = NOTHING;
  const push = (piece: Buffer) => {
    const bytes = carried.length === 0 ? piece : Buffer.concat([carried, piece]);
    let start = 0;
    for (let end = bytes.indexOf('\n\n'); end !== -1; end = bytes.indexOf('\n\n', start)) {
      onEvent(bytes, start, end);
      start = end + 2;
    }
    // A copy: what the socket hands over is valid during the call only.
    carried = start === bytes.length ? NOTHING : Buffer.from(bytes.subarray(start));
  };
  return { push, unfinished: () => carried.length };
}
