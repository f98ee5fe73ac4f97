// How entries of the log stand in the spool's segments, and how they are found again in whatever is left of those.
import { crc32 } from 'node:zlib';
import type { LogRecord, SpoolEntry } from './log_record.ts';

/** A place in the spool: everything before it is segments with smaller numbers, and the first `offset` bytes of this one. */
export interface SpoolPlace {
  readonly segment: number;
  readonly offset: number;
}

/** A whole line. Its `json` is a part of the buffer that it was found in. */
export interface SpoolLine {
  readonly type: SpoolEntry['type'];
  readonly interactionId: string;
  /** Where it begins. */
  readonly offset: number;
  /** With its newline. */
  readonly bytes: number;
  readonly json: Buffer;
}

export interface DamagedRange {
  readonly offset: number;
  readonly bytes: number;
}

export interface DecodedLines {
  readonly lines: readonly SpoolLine[];
  readonly damaged: readonly DamagedRange[];
  /** After the last newline: what follows is the beginning of a line, or what is left of one. */
  readonly end: number;
}

/** The file beside the segments that holds the place up to which everything is committed, as JSON of a `SpoolPlace`. */
export const SHIPPED_FILE = 'shipped.json';

/** No line is longer, its newline included: a longer one is not written, and what has no newline for so far is damaged. 16 Mi characters fit. */
export const MAX_LINE_BYTES = 64 * 1024 * 1024;

const SEGMENT_NAME = /^(\d{8})\.log$/;
const NEWLINE = 0x0a;
/** Of the checksum, and with the space after it. */
const CHECKSUM_LENGTH = 8;
const PREFIX_LENGTH = CHECKSUM_LENGTH + 1;
/** What a line is about stands at its front, so that it is known without parsing texts of megabytes. */
const HEAD = /^ \{"type":"(open|end)","record":\{"interaction_id":"([^"\\]+)"/;
const MAX_HEAD_LENGTH = 128;

/** @returns the line of an entry: the CRC-32 of the JSON's bytes in 8 hex digits, a space, the JSON, a newline */
export function encodeEntry({ type, record }: SpoolEntry): Buffer {
  const { interaction_id, ...others } = record;
  const line = Buffer.from(`00000000 ${JSON.stringify({ type, record: { interaction_id, ...others } })}\n`);
  line.write(checksumOf(line.subarray(PREFIX_LENGTH, -1)), 'latin1');
  return line;
}

/**
 * Finds the lines in a part of a segment that begins where a line does. What is no line is damaged, up to its newline; neighbours are told as one.
 * @param base where in the segment the buffer begins: every offset told counts from the segment's own beginning
 */
export function decodeLines(buffer: Buffer, base = 0): DecodedLines {
  const lines: SpoolLine[] = [];
  const damaged: { offset: number; bytes: number }[] = [];
  let start = 0;
  for (let newline = buffer.indexOf(NEWLINE); newline !== -1; newline = buffer.indexOf(NEWLINE, start)) {
    const offset = base + start;
    const bytes = newline + 1 - start;
    const head = headOf(buffer.subarray(start, newline));
    const last = damaged.at(-1);
    if (head !== null) lines.push({ ...head, offset, bytes, json: buffer.subarray(start + PREFIX_LENGTH, newline) });
    else if (last !== undefined && last.offset + last.bytes === offset) last.bytes += bytes;
    else damaged.push({ offset, bytes });
    start = newline + 1;
  }
  return { lines, damaged, end: base + start };
}

/** @param line as it was decoded, so its JSON is what was once encoded */
export function recordOf(line: SpoolLine): LogRecord {
  return (JSON.parse(line.json.toString('utf8')) as SpoolEntry).record;
}

export function segmentName(number: number): string {
  return `${String(number).padStart(8, '0')}.log`;
}

/** @returns the number of the segment in a file of this name; null where it holds none */
export function segmentNumber(fileName: string): number | null {
  const digits = SEGMENT_NAME.exec(fileName)?.[1];
  return digits === undefined ? null : Number(digits);
}

/** @param text of the file `SHIPPED_FILE` @returns the place; null where it says none: everything is shipped once more then, which changes no row */
export function parsePlace(text: string): SpoolPlace | null {
  try {
    const { segment, offset } = JSON.parse(text) as Partial<SpoolPlace>;
    return isCount(segment) && isCount(offset) ? { segment, offset } : null;
  } catch {
    return null;
  }
}

/** @returns what is known of a line without its newline; null where it is damaged */
function headOf(line: Buffer): { readonly type: SpoolEntry['type']; readonly interactionId: string } | null {
  const head = HEAD.exec(line.toString('latin1', CHECKSUM_LENGTH, Math.min(line.length, MAX_HEAD_LENGTH)));
  if (head === null || line.toString('latin1', 0, CHECKSUM_LENGTH) !== checksumOf(line.subarray(PREFIX_LENGTH))) return null;
  return { type: head[1] as SpoolEntry['type'], interactionId: head[2] as string };
}

function checksumOf(json: Uint8Array): string {
  return crc32(json).toString(16).padStart(CHECKSUM_LENGTH, '0');
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
