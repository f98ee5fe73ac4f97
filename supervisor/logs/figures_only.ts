// A record without its texts, for a spool that has no room for them: how an interaction ended is kept all the same.
import type { LogRecord } from '../../shared/log_record.ts';
import { encodeEntry } from '../../shared/spool_format.ts';

/** Stands where whoever reads a row looks for what was wrong. */
const TEXTS_LEFT_OUT = 'The texts of this interaction are not kept: the spool of the log had no room for them.';
/** What an end may have that the opened record has not: figures, a model, a code. */
const END_BYTES = 1024;

/** @returns the record with ids, status and figures; its `error_message` says that the rest was left out */
export function figuresOnly(record: LogRecord): LogRecord {
  return { ...record, input_message: null, output_response: null, request_headers: {}, files: null, error_message: TEXTS_LEFT_OUT };
}

/** @returns the bytes of the spool that an end of this interaction takes at most, without its texts */
export function bytesToEnd(opened: LogRecord): number {
  return encodeEntry({ type: 'end', record: figuresOnly(opened) }).length + END_BYTES;
}
