// The least of an HTTP/1.1 response reader: a status, and a body by Content-Length or in chunks, without a copy of it.

export interface ResponseSink {
  readonly status: (status: number) => void;
  /** A piece of the body, valid during the call only. */
  readonly body: (bytes: Buffer) => void;
  readonly end: () => void;
}

const CR = 0x0d;
const LF = 0x0a;

type State = 'head' | 'length' | 'chunk_size' | 'chunk' | 'chunk_end' | 'last_line';

/** Returns a function that takes the bytes of one connection, response after response. */
export function createResponseReader(sink: ResponseSink): (bytes: Buffer) => void {
  let state: State = 'head';
  let head = '';
  /** Bytes of the body or chunk still to come; in `chunk_size`, the digits so far. */
  let left = 0;

  const readHead = (bytes: Buffer, from: number): number => {
    const before = head.length;
    head += bytes.toString('latin1', from);
    const end = head.indexOf('\r\n\r\n');
    if (end === -1) return bytes.length;
    const fields = head.slice(0, end);
    head = '';
    sink.status(Number(fields.slice(9, 12)));
    const length = /\r\ncontent-length: *(\d+)/i.exec(fields)?.[1];
    state = length === undefined ? 'chunk_size' : 'length';
    left = Number(length ?? 0);
    if (state === 'length' && left === 0) finish();
    return from + end + 4 - before;
  };

  const readSize = (bytes: Buffer, from: number): number => {
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at] ?? 0;
      if (byte === LF) {
        state = left === 0 ? 'last_line' : 'chunk';
        return at + 1;
      }
      if (byte !== CR) left = left * 16 + hexDigit(byte);
    }
    return bytes.length;
  };

  const readBody = (bytes: Buffer, from: number): number => {
    const end = Math.min(bytes.length, from + left);
    sink.body(bytes.subarray(from, end));
    left -= end - from;
    if (left > 0) return end;
    if (state === 'chunk') state = 'chunk_end';
    else finish();
    return end;
  };

  const readLineEnd = (bytes: Buffer, from: number): number => {
    const end = bytes.indexOf(LF, from);
    if (end === -1) return bytes.length;
    if (state === 'last_line') finish();
    else state = 'chunk_size';
    return end + 1;
  };

  const finish = () => {
    state = 'head';
    left = 0;
    sink.end();
  };

  return (bytes) => {
    for (let at = 0; at < bytes.length; ) {
      if (state === 'head') at = readHead(bytes, at);
      else if (state === 'chunk_size') at = readSize(bytes, at);
      else if (state === 'length' || state === 'chunk') at = readBody(bytes, at);
      else at = readLineEnd(bytes, at);
    }
  };
}

function hexDigit(byte: number): number {
  return byte <= 0x39 ? byte - 0x30 : (byte | 0x20) - 0x57;
}
